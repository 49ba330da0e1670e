//! The `watchkeeper` program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before any thread: GStreamer must neither talk to dconf nor write pipeline dumps, which hold
    // passwords in clear.
    process::prepare(&[("GSETTINGS_BACKEND", "memory")], &["GST_DEBUG_DUMP_DOT_DIR"]);
    watchkeeper::cli::main()
}
