//! What the command line asks of a build.

use crate::config::{Model, Precision, Task};
use crate::inference::build::{Arithmetic, Dla};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Wish {
    /// Arithmetic the engine may use; best: int8 where ranges are known, else fp16; default: models.<name>.precision, else fp16
    #[arg(long, value_enum)]
    precision: Option<Word>,
    /// Most pictures in a run, where the model leaves its batch open; default: models.<name>.max_batch for ReID, else 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    max_batch: Option<u32>,
    /// Limits what one layer may take for its work while the engine runs
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(super) workspace_mb: Option<u64>,
    /// Builds with little memory: small pools, one thread, no file kept in memory; takes longer
    #[arg(long)]
    pub(super) low_memory: bool,
    /// 0 (quick build) to 5 (quick engine); default: TensorRT's, 3
    #[arg(long, value_name = "0..5", value_parser = clap::value_parser!(u32).range(0..=5))]
    pub(super) optimization_level: Option<u32>,
    /// Runs it on this deep-learning accelerator of a Jetson, from 0; one picture in a run
    #[arg(long, value_name = "N")]
    dla_core: Option<u32>,
    /// With --dla-core: what the accelerator cannot run goes to the GPU
    #[arg(long, requires = "dla_core")]
    gpu_fallback: bool,
    /// Measures every kernel anew, and keeps no measurements
    #[arg(long)]
    pub(super) no_timing_cache: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Word {
    Fp32,
    Fp16,
    Int8,
    Best,
}

/// NVIDIA's guide to TensorRT, before 11: no explicit quantisation on a DLA.
pub(super) const NO_INTEGERS: &str = "TensorRT 10 takes no quantised model (Q/DQ) for a deep-learning accelerator; build a model \
                                      of floats with --precision fp16";

impl Wish {
    pub(super) fn precision(&self, model: &Model) -> Precision {
        let said = self.precision.map(|word| match word {
            Word::Fp32 => Precision::Fp32,
            Word::Fp16 => Precision::Fp16,
            Word::Int8 => Precision::Int8,
            Word::Best => Precision::Best,
        });
        said.or(model.precision).unwrap_or(Precision::Fp16)
    }

    pub(super) fn max_batch(&self, model: &Model) -> usize {
        let default = if model.task == Task::Reid && self.dla_core.is_none() { model.max_batch } else { 1 };
        self.max_batch.map_or(default, |most| most as usize)
    }

    /// Is it for an accelerator that TensorRT 10 gives no 8-bit integers by Q/DQ?
    pub(super) const fn is_without_integers(&self, strongly_typed: bool) -> bool {
        self.dla_core.is_some() && !strongly_typed
    }

    pub(super) fn dla(&self) -> Option<Dla> {
        self.dla_core.map(|core| Dla { core, fallback: self.gpu_fallback })
    }

    /// What TensorRT is told; the types of the model itself are another matter, and 8-bit integers are among those.
    ///
    /// # Errors
    /// Where the accelerator cannot compute so.
    pub(super) fn arithmetic(&self, precision: Precision, strongly_typed: bool) -> Result<Arithmetic, String> {
        if self.dla_core.is_some() && precision == Precision::Fp32 {
            return Err("a deep-learning accelerator has no 32-bit floats; build with --precision fp16".to_owned());
        }
        if self.dla_core.is_some() && self.max_batch.is_some_and(|most| most > 1) {
            return Err(
                "a deep-learning accelerator runs one shape alone, and the daemon any number of pictures up to --max-batch; \
                 leave --max-batch out"
                    .to_owned(),
            );
        }
        if self.is_without_integers(strongly_typed) && precision == Precision::Int8 {
            return Err(NO_INTEGERS.to_owned());
        }
        Ok(match precision {
            _ if strongly_typed => Arithmetic::Typed,
            Precision::Fp32 => Arithmetic::Fp32,
            Precision::Fp16 | Precision::Int8 | Precision::Best => Arithmetic::Fp16,
        })
    }
}
