//! One build at a time. Two of them would measure each other's kernels, and have crashed TensorRT.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use anyhow::Context as _;

use super::interrupt::Interrupt;
use crate::cli::engine::stores;
use crate::inference::artefact::{Lock, Store};

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The right to build on a GPU, of all users and all folders of this machine. An abstract socket: nobody has to own a
/// file for it, and the system takes it back when the process ends, however that ends. A container with a network of its
/// own has sockets of its own, too; the store's lock holds there. `None` where there is no GPU, which others tell.
pub(super) fn of_gpu(interrupt: &Interrupt) -> anyhow::Result<Option<UnixListener>> {
    let devices = gpu::Driver::load().ok().and_then(|driver| driver.devices().ok());
    let Some(device) = devices.and_then(|devices| devices.into_iter().next()) else { return Ok(None) };
    let name = format!("watchkeeper.engine-build.{}", device.uuid);
    let address = SocketAddr::from_abstract_name(name).context("the lock for builds on this GPU")?;
    let mut told = false;
    loop {
        match UnixListener::bind_addr(&address) {
            Ok(turn) => return Ok(Some(turn)),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).context("the lock for builds on this GPU cannot be taken"),
        }
        if !std::mem::replace(&mut told, true) {
            eprintln!("waiting: another `watchkeeper engine build` is at work on this GPU, perhaps another user's");
        }
        interrupt.sleep(LOOK_EVERY)?;
    }
}

/// The right to change a store, as soon as nobody else has it.
pub(super) fn of_store(store: &Store, interrupt: &Interrupt) -> anyhow::Result<Lock> {
    let mut told = false;
    loop {
        match store.lock(|| false) {
            Ok(lock) => return Ok(lock),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(stores::unusable(store, &error)),
        }
        if !std::mem::replace(&mut told, true) {
            let folder = store.folder().display();
            eprintln!("waiting: another `watchkeeper engine` command (build, gc, rollback) changes {folder}");
        }
        interrupt.sleep(LOOK_EVERY)?;
    }
}
