//! Pictures of the host onto the device.

mod layout;
mod staging;

use ::picture::{Planes, Subsampling};

use self::layout::Layout;
use self::staging::Staging;
use crate::kernels::{self, Plane};
use crate::{Error, Owner, Stream, Usage};

/// Takes the planes of pictures to the device, one after the other, for one stream.
///
/// A picture is copied once by the host, into one of two slots of page-locked memory in turn, so that the next one
/// can be filled while the device still reads the last. From there the device copies it; where host and device share
/// their memory ([`DeviceInfo::integrated`](crate::DeviceInfo::integrated)) kernels read the slot itself. Memory is
/// taken for the first picture and again for a larger one, and for no other.
#[derive(Debug)]
pub struct FrameUpload {
    stream: Stream,
    owner: Owner,
    staging: Option<Staging>,
    loaded: Option<Loaded>,
}

/// The picture on the device.
#[derive(Clone, Copy, Debug)]
struct Loaded {
    width: usize,
    height: usize,
    /// `None`: NV12.
    subsampling: Option<Subsampling>,
    layout: Layout,
}

impl FrameUpload {
    /// For pictures that `stream` works on, in memory of `owner`'s; takes none yet.
    #[must_use]
    pub fn new(stream: &Stream, owner: &Owner) -> Self {
        Self { stream: stream.clone(), owner: owner.clone(), staging: None, loaded: None }
    }

    /// Memory that pictures of this size take, NV12 without anything between rows, as hardware decoders give them.
    #[must_use]
    pub fn memory(width: usize, height: usize, integrated: bool) -> Usage {
        Staging::memory(Layout::of_nv12(width, height).bytes(), integrated)
    }

    /// The stream that the pictures belong to.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Takes `picture` to the device, in place of the last one. What it borrows is free again when this returns. Of the
    /// work in the stream it waits at most for what was there when the last picture was loaded: what was put in for that
    /// one runs on meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] where a plane is shorter than the picture's size says or a side is none: nothing was done.
    /// [`Error::Allocate`], the driver's: there is no picture on the device then.
    pub fn load(&mut self, picture: &::picture::Picture<'_>) -> Result<kernels::Picture<'_>, Error> {
        let planes = picture.sized().map_err(|error| Error::argument("picture", error.to_string()))?;
        let layout = Layout::of(&planes);
        self.loaded = None;
        let staging = match self.staging.take().filter(|staging| staging.len() >= layout.bytes()) {
            Some(staging) => self.staging.insert(staging),
            // What there was is given back before more is asked for.
            None => self.staging.insert(Staging::new(&self.stream, &self.owner, layout.bytes())?),
        };
        layout.copy(&planes, staging.next(&self.stream)?);
        staging.send(&self.stream, layout.bytes())?;
        let subsampling = match picture.planes {
            Planes::Planar { subsampling, .. } => Some(subsampling),
            Planes::Nv12 { .. } => None,
        };
        let loaded = Loaded { width: picture.width, height: picture.height, subsampling, layout };
        staging.picture(self.loaded.insert(loaded))
    }

    /// The picture on the device, for more work on it; `None` before the first and after a failure.
    #[must_use]
    pub fn picture(&self) -> Option<kernels::Picture<'_>> {
        self.staging.as_ref()?.picture(self.loaded.as_ref()?).ok()
    }
}

impl Staging {
    fn picture(&self, loaded: &Loaded) -> Result<kernels::Picture<'_>, Error> {
        let Loaded { width, height, subsampling, layout } = *loaded;
        let memory = self.view();
        let plane = |i: usize| {
            let (range, pitch) = layout.plane(i);
            Ok::<_, Error>(Plane { data: memory.range(range)?, pitch })
        };
        let (y, second) = (plane(0)?, plane(1)?);
        let planes = match subsampling {
            Some(subsampling) => kernels::Planes::Planar { y, u: second, v: plane(2)?, subsampling },
            None => kernels::Planes::Nv12 { y, uv: second },
        };
        Ok(kernels::Picture { width, height, planes })
    }
}
