//! Memory of a tensor whose element type is known at run time only.

use std::fmt;
use std::ops::Range;

use crate::{DeviceBuffer, Error, Owner, PinnedBuffer, Stream};

macro_rules! tensors {
    ($($name:ident: $element:ty, $words:literal;)*) => {
        /// The type of a tensor's elements.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ElementType {
            $(#[doc = concat!("`", stringify!($element), "`: ", $words, ".")] $name,)*
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

            pub(crate) fn address(&self) -> u64 {
                match self {
                    $(Self::$name(buffer) => buffer.device_ptr(),)*
                }
            }

            pub(crate) fn owner_stream(&self) -> &Stream {
                match self {
                    $(Self::$name(buffer) => buffer.stream(),)*
                }
            }

            pub(crate) fn bytes(&self) -> usize {
                match self {
                    $(Self::$name(buffer) => buffer.len() * size_of::<$element>(),)*
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
            pub fn upload_tensor(&self, host: &mut HostTensor, to: &mut DeviceTensor, len: usize) -> Result<(), Error> {
                match (host, to) {
                    $((HostTensor::$name(host), DeviceTensor::$name(to)) => {
                        self.upload(host, 0..len, to.view_mut().range(first(len))?)
                    })*
                    (host, to) => Err(differ("upload", host.element(), to.element())),
                }
            }

            /// As [`Stream::download`], elements `0..len` to the same ones.
            ///
            /// # Errors
            ///
            /// As there, and where the types differ.
            pub fn download_tensor(&self, from: &DeviceTensor, host: &mut HostTensor, len: usize) -> Result<(), Error> {
                match (from, host) {
                    $((DeviceTensor::$name(from), HostTensor::$name(host)) => {
                        self.download(from.view().range(first(len))?, host, 0)
                    })*
                    (from, host) => Err(differ("download", from.element(), host.element())),
                }
            }
        }
    };
}

tensors! {
    F32: f32, "32-bit floats";
    F16: u16, "16-bit floats, as their bits";
    I64: i64, "64-bit integers";
    I32: i32, "32-bit integers";
    U8: u8, "bytes";
    Bool: u8, "truth values, 0 or 1";
}

fn differ(what: &'static str, from: ElementType, to: ElementType) -> Error {
    Error::argument(what, format!("{from} to a tensor of {to}"))
}

fn first(len: usize) -> Range<usize> {
    0..len
}
