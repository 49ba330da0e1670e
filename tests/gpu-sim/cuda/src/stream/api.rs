//! Stream calls of the driver.

use std::ffi::{c_int, c_uint, c_void};
use std::sync::Arc;

use gpu_sim::report::{lock, note};
use serde_json::json;

use super::{FIRST, Handle, STREAMS, Stream, Turn, find};
use crate::driver::{LIBRARY, api, put, sticky};
use crate::event;
use crate::result::Code;

const NON_BLOCKING: c_uint = 1;

fn create(out: *mut Handle, flags: c_uint, priority: c_int) -> Result<(), Code> {
    if flags > NON_BLOCKING {
        return Err(Code::INVALID_VALUE);
    }
    let mut streams = lock(&STREAMS);
    let handle = streams.next;
    put(out, handle)?;
    streams.next += 0x100;
    let stream = Stream::start(handle, flags & NON_BLOCKING == 0, priority.clamp(-2, 0))?;
    streams.live.insert(handle, stream);
    Ok(())
}

api! {
    Context fn cuStreamCreate(stream: *mut Handle, flags: c_uint) {
        create(stream, flags, 0)
    }
}

api! {
    Context fn cuStreamCreateWithPriority(stream: *mut Handle, flags: c_uint, priority: c_int) {
        create(stream, flags, priority)
    }
}

api! {
    Context fn cuStreamDestroy_v2(stream: Handle) {
        if stream < FIRST {
            return Err(Code::INVALID_HANDLE);
        }
        let found = find(stream)?;
        lock(&STREAMS).live.remove(&stream);
        let left = found.close();
        if left > 0 {
            // CUDA allows it: the work is done, the handle is gone at once.
            note(LIBRARY, "stream-destroyed-with-work", json!({ "stream": found.label(), "queued": left }));
        }
        Ok(())
    }
}

api! {
    Context fn cuStreamSynchronize(stream: Handle) {
        let stream = find(stream)?;
        stream.wait_for(stream.submitted());
        sticky()
    }
}

api! {
    Context fn cuStreamQuery(stream: Handle) {
        let stream = find(stream)?;
        if stream.finished(stream.submitted()) { sticky() } else { Err(Code::NOT_READY) }
    }
}

api! {
    Context fn cuStreamWaitEvent(stream: Handle, event: event::Handle, flags: c_uint) {
        let stream = find(stream)?;
        if let Some(recorded) = event::recorded(event)? {
            stream.submit(&[], vec![recorded], |_| {});
        }
        Ok(())
    }
}

api! {
    Context fn cuStreamGetPriority(stream: Handle, priority: *mut c_int) {
        put(priority, find(stream)?.priority)
    }
}

api! {
    Context fn cuStreamGetFlags(stream: Handle, flags: *mut c_uint) {
        put(flags, c_uint::from(!find(stream)?.blocking))
    }
}

api! {
    Context fn cuStreamGetCtx(stream: Handle, context: *mut usize) {
        find(stream)?;
        put(context, 0xC0DE_0000)
    }
}

api! {
    Context fn cuStreamIsCapturing(stream: Handle, status: *mut c_int) {
        find(stream)?;
        put(status, 0)
    }
}

api! {
    Context fn cuLaunchHostFunc(stream: Handle, function: Option<extern "C" fn(*mut c_void)>, data: usize) {
        let function = function.ok_or(Code::INVALID_VALUE)?;
        let stream: Arc<Stream> = find(stream)?;
        stream.submit(&[], Vec::new(), move |turn| {
            if turn == Turn::Run {
                function(data as *mut c_void);
            }
        });
        Ok(())
    }
}
