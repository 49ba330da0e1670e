//! Memory of a tensor whose element type is known at run time only.

use std::ops::Range;

use crate::{DeviceBuffer, Error, Owner, PinnedBuffer, Stream};

macro_rules! tensors {
    ($($name:ident: $element:ty),*) => {
        /// The type of a tensor's elements.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ElementType {
            $(#[doc = concat!("`", stringify!($element), "`.")] $name,)*
        }

        /// A tensor on the device.
        #[derive(Debug)]
        pub enum DeviceTensor {
            $(#[doc = concat!("Of `", stringify!($element), "`.")] $name(DeviceBuffer<$element>),)*
        }

        /// A tensor in page-locked memory of the host.
        #[derive(Debug)]
        pub enum HostTensor {
            $(#[doc = concat!("Of `", stringify!($element), "`.")] $name(PinnedBuffer<$element>),)*
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
                    _ => Err(Error::argument("upload", "the tensors have different types")),
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
                    _ => Err(Error::argument("download", "the tensors have different types")),
                }
            }
        }
    };
}

tensors!(F32: f32, I64: i64, I32: i32, U8: u8);

fn first(len: usize) -> Range<usize> {
    0..len
}
