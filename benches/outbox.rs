//! The outbox: events a second from `publish` until they are durable and a sink has them; and what a million costs.
//!
//! `cargo bench --bench outbox` measures the first; `... -- sustained 30` shows memory at 5,000 events a second for so
//! many seconds; `... -- million 1000000` stores, lists and prunes so many.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../tests/support/outbox.rs"]
mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use support::{Deliver, Rig, SOON, config, jsonl, wait_for};
use watchkeeper::config::Outbox as Kept;
use watchkeeper::outbox::Filter;
use watchkeeper::outbox::reader::{Order, Query, Reader};

/// A far end that only counts.
fn counting(count: &Arc<AtomicU64>) -> Deliver {
    let count = Arc::clone(count);
    Box::new(move |events| {
        count.fetch_add(events.len() as u64, Ordering::SeqCst);
        (events.len(), Ok(()))
    })
}

/// Resident memory, MB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outbox");
    group.throughput(Throughput::Elements(5000)).sample_size(20).measurement_time(Duration::from_secs(10));
    group.bench_function("5000 events, durable and delivered", |bencher| {
        let dir = tempfile::tempdir().unwrap();
        let count = Arc::new(AtomicU64::new(0));
        let rig = Rig::scripted(config(dir.path(), vec![jsonl("a", dir.path())]), vec![("a", counting(&count))]);
        let mut n = 0;
        bencher.iter(|| {
            rig.publish(n..n + 5000);
            n += 5000;
            assert!(wait_for(SOON, || count.load(Ordering::SeqCst) == n));
        });
        rig.close();
    });
    group.finish();
}

/// Five thousand events a second, as they come, for so long: does memory grow?
fn sustained(seconds: u64) {
    let dir = tempfile::tempdir().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let mut config = config(dir.path(), vec![jsonl("a", dir.path()), jsonl("file", &dir.path().join("events.jsonl"))]);
    config.outbox = Kept { max_bytes: 40_000_000, ..Kept::default() };
    let rig = Rig::scripted(config, vec![("a", counting(&count))]);
    let (began, mut n, mut shown) = (Instant::now(), 0_u64, 0);
    let mut waiting = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        let due = (began.elapsed().as_secs_f64() * 5000.0) as u64;
        rig.publish(n..due.max(n));
        n = due.max(n);
        waiting = waiting.max(n - count.load(Ordering::SeqCst).min(n));
        if began.elapsed().as_secs() > shown {
            shown = began.elapsed().as_secs();
            let file = std::fs::metadata(dir.path().join("events.db")).unwrap().len() as f64 / 1e6;
            println!(
                "{shown:>4} s  {n:>8} events  {:>6.1} MB resident  {file:>6.1} MB file  {waiting:>5} behind at most",
                resident()
            );
            waiting = 0;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let commits = rig.metric("outbox_commit_seconds_count").unwrap();
    let each = rig.metric("outbox_commit_seconds_sum").unwrap() / commits;
    println!("{commits} commits of {:.1} ms; {} pruned", each * 1e3, rig.metric("outbox_pruned_total").unwrap());
    rig.close();
}

fn took<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = work();
    println!("{what:<64} {:>9.1} ms", began.elapsed().as_secs_f64() * 1e3);
    result
}

/// A million events stored, listed and pruned.
fn million(events: u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path(), Vec::new());
    config.outbox = Kept { max_bytes: u64::MAX / 2, ..config.outbox };
    let rig = Rig::open(config.clone());
    let before = resident();
    took(&format!("{events} events stored"), || {
        for n in 0..events / 10_000 {
            rig.publish(n * 10_000..(n + 1) * 10_000);
            rig.committed((n + 1) * 10_000);
        }
    });
    println!("memory grew by {:.1} MB", resident() - before);
    rig.close();
    println!("file of {:.0} MB", std::fs::metadata(dir.path().join("events.db")).unwrap().len() as f64 / 1e6);
    let reader = took("opened for reading", || Reader::open(dir.path()).unwrap());
    let before = resident();
    let newest = Query { order: Order::NewestFirst, limit: 50, ..Query::default() };
    took("the latest 50", || black_box(reader.page(&newest).unwrap()));
    let rare = Filter { types: vec!["scene.*".to_owned()], ..Filter::default() };
    let page = took("the latest 50 of a type that never came", || {
        reader.page(&Query { filter: rare, ..newest.clone() }).unwrap()
    });
    println!("  (it came back {} the end)", if page.more { "before" } else { "at" });
    let some = Filter { types: vec!["zone.*".to_owned()], cameras: vec!["yard".to_owned()], ..Filter::default() };
    took("a page of 1000 by type and camera", || {
        black_box(reader.page(&Query { filter: some, ..Query::default() }).unwrap())
    });
    let id = reader.by_seq(events / 2).unwrap().unwrap().id;
    took("one by its id", || black_box(reader.by_id(&id).unwrap()));
    took("counted by type and camera", || black_box(reader.tallies().unwrap()));
    took("all of them, page by page", || {
        let mut query = Query::default();
        loop {
            let page = reader.page(&query).unwrap();
            query.after = page.reached;
            if !page.more {
                break;
            }
        }
    });
    println!("memory grew by {:.1} MB", resident() - before);
    drop(reader);
    let rig = took("opened by a daemon", || Rig::open(config.clone()));
    rig.close();
    config.outbox.keep = Duration::from_micros(1);
    let rig = Rig::open(config);
    took("all pruned", || assert!(wait_for(Duration::from_secs(600), || rig.metric("outbox_depth") == Some(0.0))));
    rig.close();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| arguments.iter().position(|a| a == name).map(|at| arguments.get(at + 1)?.parse().ok());
    if let Some(events) = number("million") {
        million(events.unwrap_or(1_000_000));
    } else if let Some(seconds) = number("sustained") {
        sustained(seconds.unwrap_or(30));
    } else {
        let mut criterion = Criterion::default().configure_from_args();
        batches(&mut criterion);
        criterion.final_summary();
    }
}
