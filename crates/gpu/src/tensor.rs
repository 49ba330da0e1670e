//! Memory of a tensor whose element type is known at run time only.

use std::fmt;
use std::ops::Range;

use crate::{DeviceBuffer, DeviceView, DeviceViewMut, Error, Owner, PinnedBuffer, Stream};

macro_rules! tensors {
    ($($name:ident: $element:ty, $words:literal;)*) => {
        /// The type of a tensor's elements.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ElementType {
            $(#[doc = concat!("Of ", $words, ", on the host `", stringify!($element), "`.")] $name,)*
        }

        impl ElementType {
            /// Bytes of an element.
            #[must_use]
            pub const fn bytes(self) -> usize {
                match self {
                    $(Self::$name => size_of::<$element>(),)*
                }
            }
        }

        impl fmt::Display for ElementType {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $words,)*
                })
            }
        }

        /// A tensor on the device.
        #[derive(Debug)]
        pub enum DeviceTensor {
            $(#[doc = concat!("Of ", $words, ".")] $name(DeviceBuffer<$element>),)*
        }

        /// A tensor in page-locked memory of the host.
        #[derive(Debug)]
        pub enum HostTensor {
            $(#[doc = concat!("Of ", $words, ".")] $name(PinnedBuffer<$element>),)*
        }

        impl DeviceTensor {
            /// As [`DeviceBuffer::new`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn new(element: ElementType, stream: &Stream, owner: &Owner, len: usize) -> Result<Self, Error> {
                Ok(match element {
                    $(ElementType::$name => Self::$name(DeviceBuffer::new(stream, owner, len)?),)*
                })
            }

            /// The type of its elements.
            #[must_use]
            pub fn element(&self) -> ElementType {
                match self {
                    $(Self::$name(_) => ElementType::$name,)*
                }
            }

            /// All elements, to read.
            #[must_use]
            pub fn view(&self) -> TensorView<'_> {
                match self {
                    $(Self::$name(buffer) => TensorView::$name(buffer.view()),)*
                }
            }

            /// All elements, to write.
            #[must_use]
            pub fn view_mut(&mut self) -> TensorViewMut<'_> {
                match self {
                    $(Self::$name(buffer) => TensorViewMut::$name(buffer.view_mut()),)*
                }
            }

            /// The stream it belongs to.
            #[must_use]
            pub fn stream(&self) -> &Stream {
                match self {
                    $(Self::$name(buffer) => buffer.stream(),)*
                }
            }

            /// Bytes.
            #[must_use]
            pub fn byte_len(&self) -> usize {
                match self {
                    $(Self::$name(buffer) => buffer.len() * size_of::<$element>(),)*
                }
            }

            /// Address on the device, for other libraries; work on it belongs into [`Self::stream`].
            #[must_use]
            pub fn device_ptr(&self) -> u64 {
                match self {
                    $(Self::$name(buffer) => buffer.device_ptr(),)*
                }
            }
        }

        /// Elements of a tensor on the device, to read.
        #[derive(Clone, Copy, Debug)]
        pub enum TensorView<'a> {
            $(#[doc = concat!("Of ", $words, ".")] $name(DeviceView<'a, $element>),)*
        }

        /// Elements of a tensor on the device, to write.
        #[derive(Debug)]
        pub enum TensorViewMut<'a> {
            $(#[doc = concat!("Of ", $words, ".")] $name(DeviceViewMut<'a, $element>),)*
        }

        impl TensorView<'_> {
            /// The type of its elements.
            #[must_use]
            pub fn element(&self) -> ElementType {
                match self {
                    $(Self::$name(_) => ElementType::$name,)*
                }
            }
        }

        impl TensorViewMut<'_> {
            /// The type of its elements.
            #[must_use]
            pub fn element(&self) -> ElementType {
                match self {
                    $(Self::$name(_) => ElementType::$name,)*
                }
            }
        }

        impl HostTensor {
            /// As [`PinnedBuffer::new`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn new(element: ElementType, stream: &Stream, owner: &Owner, len: usize) -> Result<Self, Error> {
                Ok(match element {
                    $(ElementType::$name => Self::$name(PinnedBuffer::new(stream, owner, len)?),)*
                })
            }

            /// The type of its elements.
            #[must_use]
            pub fn element(&self) -> ElementType {
                match self {
                    $(Self::$name(_) => ElementType::$name,)*
                }
            }
        }

        impl Stream {
            /// As [`Stream::upload`], elements `0..len` to the same ones.
            ///
            /// # Errors
            ///
            /// As there, and where the types differ.
            pub fn upload_tensor<'a>(
                &self,
                host: &mut HostTensor,
                to: impl Into<TensorViewMut<'a>>,
                len: usize,
            ) -> Result<(), Error> {
                match (host, to.into()) {
                    $((HostTensor::$name(host), TensorViewMut::$name(to)) => {
                        self.upload(host, 0..len, to.range(first(len))?)
                    })*
                    (host, to) => Err(differ("upload", host.element(), to.element())),
                }
            }

            /// As [`Stream::download`], elements `0..len` to the same ones.
            ///
            /// # Errors
            ///
            /// As there, and where the types differ.
            pub fn download_tensor<'a>(
                &self,
                from: impl Into<TensorView<'a>>,
                host: &mut HostTensor,
                len: usize,
            ) -> Result<(), Error> {
                match (from.into(), host) {
                    $((TensorView::$name(from), HostTensor::$name(host)) => {
                        self.download(from.range(first(len))?, host, 0)
                    })*
                    (from, host) => Err(differ("download", from.element(), host.element())),
                }
            }
        }
    };
}

tensors! {
    F32: f32, "32-bit floats";
    F16: u16, "16-bit floats";
    I64: i64, "64-bit integers";
    I32: i32, "32-bit integers";
    U8: u8, "bytes";
    Bool: u8, "truth values, 0 or 1";
}

impl<'a> TensorView<'a> {
    /// Its elements as 32-bit floats, which is what the kernels read of a model's outputs.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] where they are of another type.
    pub fn f32(self) -> Result<DeviceView<'a, f32>, Error> {
        match self {
            Self::F32(view) => Ok(view),
            other => {
                Err(Error::argument("tensor", format!("has {}, a kernel reads {}", other.element(), ElementType::F32)))
            }
        }
    }
}

impl<'a> From<DeviceView<'a, f32>> for TensorView<'a> {
    fn from(view: DeviceView<'a, f32>) -> Self {
        Self::F32(view)
    }
}

impl<'a> From<&'a DeviceTensor> for TensorView<'a> {
    fn from(tensor: &'a DeviceTensor) -> Self {
        tensor.view()
    }
}

impl<'a> From<&'a mut DeviceTensor> for TensorViewMut<'a> {
    fn from(tensor: &'a mut DeviceTensor) -> Self {
        tensor.view_mut()
    }
}

fn differ(what: &'static str, from: ElementType, to: ElementType) -> Error {
    Error::argument(what, format!("{from} to a tensor of {to}"))
}

fn first(len: usize) -> Range<usize> {
    0..len
}
