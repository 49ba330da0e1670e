use super::{Kernel, LINE, arguments};
use crate::{Device, DeviceBuffer, Error, OpenError, PinnedBuffer, Stream};

/// Words of the proof.
const WORDS: u32 = 4096;

impl Device {
    /// Runs a kernel whose answer is known, and checks every word of it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Proof`] where it does not run, [`OpenError::Wrong`] where the answer is wrong.
    pub fn prove(&self) -> Result<(), OpenError> {
        let ordinal = self.info().ordinal;
        let words = run(self).map_err(|source| OpenError::Proof { ordinal, source: Box::new(source) })?;
        for (at, (&got, want)) in words.iter().zip((0..WORDS).map(|i| answer(i, question(i)))).enumerate() {
            if got != want {
                return Err(OpenError::Wrong { ordinal, at, got, want });
            }
        }
        Ok(())
    }
}

fn run(device: &Device) -> Result<Vec<u32>, Error> {
    let (stream, owner) = (Stream::new(device)?, device.owner("proof"));
    let len = WORDS as usize;
    let mut host = PinnedBuffer::new(&stream, &owner, len)?;
    let (mut input, mut output) = (DeviceBuffer::new(&stream, &owner, len)?, DeviceBuffer::new(&stream, &owner, len)?);
    for (i, word) in (0..).zip(host.write()?) {
        *word = question(i);
    }
    stream.upload(&mut host, 0..len, input.view_mut())?;
    launch(&stream, &input, &mut output)?;
    stream.download(output.view(), &mut host, 0)?;
    Ok(host.read()?.to_vec())
}

fn launch(stream: &Stream, input: &DeviceBuffer<u32>, output: &mut DeviceBuffer<u32>) -> Result<(), Error> {
    let (from, to, words) = (input.device_ptr(), output.device_ptr(), WORDS);
    // SAFETY: the kernel has these parameters; both buffers are this stream's and have that many words.
    unsafe { stream.launch(Kernel::Proof, [WORDS, 1, 1], LINE, arguments![from, to, words]) }?;
    Ok(())
}

fn question(i: u32) -> u32 {
    i.wrapping_mul(0x9e37_79b9).rotate_left(7)
}

/// What the kernel computes.
fn answer(i: u32, word: u32) -> u32 {
    let half = (i & 0xffff) as f32 * 0.5 + 1.0;
    word.wrapping_mul(2_654_435_761) ^ half.to_bits()
}
