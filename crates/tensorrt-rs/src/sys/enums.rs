//! Enums whose numbers are the same in 10.x and 11.x. All are 32-bit.

/// An enum with TensorRT's numbers; one that a newer library answers with is kept as `Unknown`.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $number:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$item_doc])* $item,)*
            /// A value that came after the newest version known here.
            Unknown(i32),
        }

        impl $name {
            /// Every known value.
            pub const ALL: &[Self] = &[$(Self::$item),*];

            /// From TensorRT's number.
            #[must_use]
            pub const fn from_raw(raw: i32) -> Self {
                match raw { $($number => Self::$item,)* other => Self::Unknown(other) }
            }

            /// TensorRT's number.
            #[must_use]
            pub const fn raw(self) -> i32 {
                match self { $(Self::$item => $number,)* Self::Unknown(raw) => raw }
            }

            /// TensorRT's name for it, without the leading `k`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$item => $text,)* Self::Unknown(_) => "UNKNOWN" }
            }
        }
    };
}

numbered! {
    /// Element type of a tensor.
    DataType {
        /// 32-bit float.
        Float = 0 "FLOAT",
        /// 16-bit IEEE float.
        Half = 1 "HALF",
        /// Signed 8-bit integer.
        Int8 = 2 "INT8",
        /// Signed 32-bit integer.
        Int32 = 3 "INT32",
        /// One byte, 0 or 1.
        Bool = 4 "BOOL",
        /// Unsigned 8-bit integer.
        Uint8 = 5 "UINT8",
        /// 8-bit float (E4M3).
        Fp8 = 6 "FP8",
        /// 16-bit brain float.
        Bf16 = 7 "BF16",
        /// Signed 64-bit integer.
        Int64 = 8 "INT64",
        /// Signed 4-bit integer, two to a byte.
        Int4 = 9 "INT4",
        /// 4-bit float, two to a byte; from 10.8.
        Fp4 = 10 "FP4",
        /// 8-bit exponent; from 10.12.
        E8m0 = 11 "E8M0",
    }
}

numbered! {
    /// Direction of an I/O tensor.
    TensorIOMode {
        /// No I/O tensor of that name.
        None = 0 "NONE",
        /// Read by the engine.
        Input = 1 "INPUT",
        /// Written by the engine.
        Output = 2 "OUTPUT",
    }
}

numbered! {
    /// Where an I/O tensor's memory lies.
    TensorLocation {
        /// In device memory.
        Device = 0 "DEVICE",
        /// In host memory (shape tensors).
        Host = 1 "HOST",
    }
}

numbered! {
    /// Memory layout of a tensor.
    TensorFormat {
        /// Row-major.
        Linear = 0 "LINEAR",
        /// Channels in twos.
        Chw2 = 1 "CHW2",
        /// Channels last, padded to eights.
        Hwc8 = 2 "HWC8",
        /// Channels in fours.
        Chw4 = 3 "CHW4",
        /// Channels in sixteens.
        Chw16 = 4 "CHW16",
        /// Channels in thirty-twos.
        Chw32 = 5 "CHW32",
        /// 3-D, channels last, padded to eights.
        Dhwc8 = 6 "DHWC8",
        /// 3-D, channels in thirty-twos.
        Cdhw32 = 7 "CDHW32",
        /// Channels last.
        Hwc = 8 "HWC",
        /// DLA planar.
        DlaLinear = 9 "DLA_LINEAR",
        /// DLA image.
        DlaHwc4 = 10 "DLA_HWC4",
        /// Channels last, padded to sixteens.
        Hwc16 = 11 "HWC16",
        /// 3-D, channels last.
        Dhwc = 12 "DHWC",
    }
}

numbered! {
    /// How loud a log line is.
    Severity {
        /// Unrecoverable, by TensorRT's documentation.
        InternalError = 0 "INTERNAL_ERROR",
        /// The application did something wrong, or a call failed.
        Error = 1 "ERROR",
        /// It goes on, perhaps otherwise than meant.
        Warning = 2 "WARNING",
        /// Information.
        Info = 3 "INFO",
        /// Everything.
        Verbose = 4 "VERBOSE",
    }
}

numbered! {
    /// When a context's activation memory is allocated, and by whom.
    AllocationStrategy {
        /// At creation, for the largest profile.
        Static = 0 "STATIC",
        /// Anew for every profile selected.
        OnProfileChange = 1 "ON_PROFILE_CHANGE",
        /// By the caller, through `set_device_memory_v2`.
        UserManaged = 2 "USER_MANAGED",
    }
}

numbered! {
    /// Which of a profile's three shapes.
    ProfileSelector {
        /// The smallest allowed.
        Min = 0 "MIN",
        /// The one tuned for.
        Opt = 1 "OPT",
        /// The largest allowed.
        Max = 2 "MAX",
    }
}

numbered! {
    /// How much an engine tells of its layers.
    ProfilingVerbosity {
        /// Their names.
        LayerNamesOnly = 0 "LAYER_NAMES_ONLY",
        /// Nothing.
        None = 1 "NONE",
        /// Everything.
        Detailed = 2 "DETAILED",
    }
}

numbered! {
    /// On which other devices a plan may run.
    HardwareCompatibility {
        /// On none.
        None = 0 "NONE",
        /// On Ampere and later.
        AmperePlus = 1 "AMPERE_PLUS",
        /// On the same compute capability; from 10.9.
        SameComputeCapability = 2 "SAME_COMPUTE_CAPABILITY",
    }
}

numbered! {
    /// A kind of memory that the builder may use up to a limit.
    MemoryPool {
        /// Scratch of layers.
        Workspace = 0 "WORKSPACE",
        /// DLA software-managed SRAM.
        DlaManagedSram = 1 "DLA_MANAGED_SRAM",
        /// DLA local DRAM.
        DlaLocalDram = 2 "DLA_LOCAL_DRAM",
        /// DLA global DRAM.
        DlaGlobalDram = 3 "DLA_GLOBAL_DRAM",
        /// DRAM of tactics while they are timed.
        TacticDram = 4 "TACTIC_DRAM",
        /// Shared memory of tactics.
        TacticSharedMemory = 5 "TACTIC_SHARED_MEMORY",
    }
}

numbered! {
    /// What a layer runs on.
    DeviceType {
        /// The GPU.
        Gpu = 0 "GPU",
        /// A deep-learning accelerator, as Jetsons have.
        Dla = 1 "DLA",
    }
}

numbered! {
    /// Where a stream reader's seek starts counting.
    SeekPosition {
        /// At the start.
        Set = 0 "SET",
        /// Where it is.
        Current = 1 "CUR",
        /// At the end.
        End = 2 "END",
    }
}

numbered! {
    /// How the engine inspector writes.
    LayerInformationFormat {
        /// One line of text.
        Oneline = 0 "ONELINE",
        /// JSON.
        Json = 1 "JSON",
    }
}

numbered! {
    /// A number that an engine tells of itself; from 10.14.
    EngineStat {
        /// Bytes of all weights.
        TotalWeightsSize = 0 "TOTAL_WEIGHTS_SIZE",
        /// Bytes of the weights that a stripped plan lacks.
        StrippedWeightsSize = 1 "STRIPPED_WEIGHTS_SIZE",
    }
}
