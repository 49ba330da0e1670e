//! A report in words.

use std::io::{self, Write};

use super::live::{Against, Told};
use super::report::{CameraReport, Fired, RuleReport, Stretch};
use crate::types::event::Phase;

pub(super) fn camera(report: &CameraReport, out: &mut impl Write) -> io::Result<()> {
    for fired in &report.fired {
        firing(&report.camera, fired, out)?;
    }
    if !report.fired.is_empty() {
        writeln!(out)?;
    }
    stretch(report, out)?;
    let wide = report.rules.iter().map(|rule| rule.rule.len()).max().unwrap_or(0);
    report.rules.iter().try_for_each(|rule| summary(rule, wide, out))?;
    report.against_live.as_ref().map_or(Ok(()), |against| compared(against, out))
}

fn compared(Against { both, only_live, only_replayed }: &Against, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "  against live: {both} in both, {} told live only, {} in the replay only",
        only_live.len(),
        only_replayed.len()
    )?;
    for (which, all) in [("live only", only_live), ("replay only", only_replayed)] {
        for Told { capture, event_type, phase, rule, track } in all {
            writeln!(out, "    {which}: {capture}  {event_type} {phase}  {rule}  {track}")?;
        }
    }
    Ok(())
}

fn firing(camera: &str, fired: &Fired, out: &mut impl Write) -> io::Result<()> {
    let phase = match fired.phase {
        Phase::Start => " start",
        Phase::End => " end",
        Phase::Update | Phase::Instant => "",
    };
    write!(out, "{}  {camera}  {}{phase}  {}", fired.capture, fired.event_type.name(), fired.rule)?;
    if let Some(track) = &fired.track {
        write!(out, "  {} {}", track.id, track.label)?;
    }
    if !fired.data.is_empty() {
        write!(out, "  {}", serde_json::Value::Object(fired.data.clone()))?;
    }
    writeln!(out, "{}", if fired.shadow { "  (shadow)" } else { "" })
}

fn stretch(report: &CameraReport, out: &mut impl Write) -> io::Result<()> {
    let Stretch { first, last, hours, frames, warm_since, exact, from_beginning, beginnings, holes } = &report.replayed;
    let camera = &report.camera;
    let (Some(first), Some(last)) = (first, last) else {
        return writeln!(out, "{camera}: no frames were kept of that time");
    };
    let count = |many: usize, one: &str| if many == 1 { format!("1 {one}") } else { format!("{many} {one}s") };
    writeln!(
        out,
        "{camera}: {hours:.2} hours replayed, {frames} frames from {first} to {last}, {}, {}",
        count(holes.len(), "hole"),
        count(beginnings.len(), "restart"),
    )?;
    for hole in holes {
        writeln!(out, "  hole: {} to {}: rules began anew", hole.from, hole.until)?;
    }
    match (exact, from_beginning) {
        (true, _) => writeln!(out, "  exactly what these rules would have told live"),
        (false, true) => writeln!(out, "  what these rules would have told live, but for what holes took away"),
        (false, false) => writeln!(
            out,
            "  rules knew of nothing before {warm_since}: totals of counts begin there, and what began earlier may be \
             told differently than live (--warm-up goes farther back where there is a log)"
        ),
    }
}

fn summary(rule: &RuleReport, wide: usize, out: &mut impl Write) -> io::Result<()> {
    write!(out, "  {:wide$}  {:>6} fired", rule.rule, rule.fired)?;
    if rule.shadow {
        write!(out, " (shadow: nobody would have been told)")?;
    }
    if rule.held_back > 0 {
        write!(out, ", {} held back by max_per_hour", rule.held_back)?;
    }
    if !rule.hours.is_empty() {
        write!(out, "; by hour (UTC):")?;
        let mut day = String::new();
        for count in &rule.hours {
            let text = count.hour.to_string();
            let (date, hour) = (text.get(..10).unwrap_or_default(), text.get(11..13).unwrap_or_default());
            if date != day {
                write!(out, " {date}")?;
                date.clone_into(&mut day);
            }
            write!(out, " {hour}h {}", count.fired)?;
        }
    }
    writeln!(out)
}
