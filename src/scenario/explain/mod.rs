//! The expanded plan for a person: what the program understood, and every default that matters.
//!
//! Sections in the order in which one draws a network: places, then hosts, then what happens, then what
//! must hold. Columns are aligned within a section and lines end by column [`WIDTH`], where words allow.
//! The text depends on the plan alone.

mod cluster;
mod hosts;
mod setup;
mod words;

use super::expectation::{ExpectKind, Period};
use super::kb::KbPlan;
use super::plan::{HostPlan, LinkPlan, MediumPlan, Plan, SubnetRef};
use super::story::{FaultSchedule, VaryPlan, VaryValue};
use std::fmt::Write;
use words::{Words, clock, drawn, odds, plural, size, time};

/// Lines are wrapped to this width.
const WIDTH: usize = 100;
/// However wide the columns before it, the last one keeps this much.
const LAST_MIN: usize = 30;

/// A plan in words, as `winstorm explain` prints it.
pub fn explain(plan: &Plan) -> String {
    let mut out = String::new();
    let words = Words { plan };
    let _ = writeln!(out, "{}", plan.title);
    let hosts = plural(plan.hosts.len(), "host");
    let _ = writeln!(out, "{} of simulated time, {hosts}, seed {}", plan.duration, plan.seed);
    section(&mut out, "reproduced failure", &plan.kb.iter().flat_map(failure).collect::<Vec<_>>());
    section(&mut out, "subnets", &subnets(plan));
    section(&mut out, "routers", &routers(plan));
    section(&mut out, "links", &links(plan));
    section(&mut out, "domains", &domains(plan));
    section(&mut out, "WINS servers", &hosts::servers(&words));
    section(&mut out, "hosts", &hosts::groups(&words));
    section(&mut out, "services", &setup::services(&words));
    section(&mut out, "clusters", &setup::clusters(&words));
    section(&mut out, "cluster groups", &setup::groups(&words));
    let rows = plan.workloads.iter();
    let rows: Vec<Row> = rows.map(|w| vec![w.name.clone(), words.workload(&w.kind)]).collect();
    section(&mut out, "workloads", &rows);
    section(&mut out, "faults", &faults(&words));
    let mut steps: Vec<_> = plan.steps.iter().collect();
    steps.sort_by_key(|step| step.at);
    let rows: Vec<Row> = steps.iter().map(|s| vec![clock(s.at), words.step(&s.kind)]).collect();
    section(&mut out, "steps", &rows);
    let rows = plan.probes.iter();
    let rows: Vec<Row> = rows
        .map(|p| vec![p.name.clone(), format!("every {}: {}", time(p.every), words.probe(&p.kind))])
        .collect();
    section(&mut out, "probes", &rows);
    section(&mut out, "expectations", &expects(&words));
    section(&mut out, "values a sweep tries", &plan.vary.iter().map(varied).collect::<Vec<_>>());
    out
}

/// The values of a path in one line, or each alternative with what it changes in a line of its own.
fn varied(vary: &VaryPlan) -> Row {
    let plain = |v: &VaryValue| v.pick.strip_prefix(&vary.name).is_some_and(|r| r.starts_with('='));
    let text = if vary.values.iter().all(plain) {
        let value = |v: &VaryValue| v.pick[vary.name.len() + 1..].to_string();
        vary.values.iter().map(value).collect::<Vec<_>>().join(", ")
    } else {
        let one = |v: &VaryValue| match v.changes.is_empty() {
            true => format!("{}: as the file stands", v.name),
            false => format!("{}: {}", v.name, v.changes.join("; ")),
        };
        vary.values.iter().map(one).collect::<Vec<_>>().join("\n")
    };
    vec![vary.name.clone(), text]
}

/// The failure that a scenario reproduces.
fn failure(kb: &KbPlan) -> Vec<Row> {
    let articles =
        std::iter::once(&kb.article).chain(&kb.also).cloned().collect::<Vec<_>>().join(", ");
    let rows = [
        ("article", articles),
        ("symptom", kb.symptom.clone()),
        ("affected", kb.affected.clone()),
        ("cured", kb.cured.clone()),
        ("a cure sets", kb.cure.join(", ")),
        ("harm sets", kb.harm.join(", ")),
    ];
    rows.into_iter().map(|(what, text)| vec![what.to_string(), text]).collect()
}

/// The cells of one row. The last one is wrapped; a line break in it begins a new line there.
type Row = Vec<String>;

/// Writes a section with its columns aligned; nothing for one without rows.
fn section(out: &mut String, title: &str, rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0).saturating_sub(1);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|c| width(c).unwrap_or(0)).collect();
    let indent = 2 + widths.iter().map(|w| w + 2).sum::<usize>();
    for row in rows {
        let Some((last, cells)) = row.split_last() else { continue };
        let mut line = "  ".to_string();
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let room = WIDTH.saturating_sub(indent).max(LAST_MIN);
        for (n, part) in last.lines().flat_map(|text| wrap(text, room)).enumerate() {
            if n > 0 {
                line = " ".repeat(indent);
            }
            let _ = writeln!(out, "{}", format!("{line}{part}").trim_end());
        }
        if last.is_empty() {
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

/// Breaks a text at spaces; a word longer than the room stays whole.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(format!("  {word}"));
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn subnets(plan: &Plan) -> Vec<Row> {
    let stands = |h: &HostPlan, s| h.subnet == s || h.interfaces.iter().any(|i| i.subnet == s);
    let count = |s: usize| plan.hosts.iter().filter(|h| stands(h, SubnetRef(s as u32))).count();
    let rows = plan.subnets.iter().enumerate();
    rows.map(|(i, s)| {
        let network = format!("{}/{}", s.network, s.prefix);
        vec![s.name.clone(), network, plural(count(i), "host"), medium(&s.medium)]
    })
    .collect()
}

fn routers(plan: &Plan) -> Vec<Row> {
    let rows = plan.routers.iter();
    rows.map(|router| {
        let subnet = |s: SubnetRef| &plan.subnets[s.index()].name;
        let stands: Vec<String> =
            router.attached.iter().map(|(s, a)| format!("{a} on {}", subnet(*s))).collect();
        let mut text = stands.join(", ");
        if router.forward_broadcasts {
            text.push_str("; forwards broadcasts");
        }
        if router.directed_broadcasts {
            text.push_str("; delivers directed broadcasts");
        }
        if router.implied {
            text.push_str("; implied by a link");
        }
        vec![router.name.clone(), text]
    })
    .collect()
}

fn links(plan: &Plan) -> Vec<Row> {
    let router = |link: &LinkPlan, end: usize| plan.routers[link.ends[end].index()].name.clone();
    let row = |link: &LinkPlan| {
        let ends = format!("{} -- {}", router(link, 0), router(link, 1));
        vec![link.name.clone(), ends, medium(&link.medium)]
    };
    plan.links.iter().map(row).collect()
}

fn medium(medium: &MediumPlan) -> String {
    let mut parts = vec![format!("delay {}", drawn(medium.delay))];
    if !medium.jitter.is_zero() {
        parts.push(format!("jitter {}", time(medium.jitter)));
    }
    if !medium.loss.is_never() {
        parts.push(format!("loses {}", odds(medium.loss)));
    }
    if !medium.duplicate.is_never() {
        parts.push(format!("duplicates {}", odds(medium.duplicate)));
    }
    if !medium.reorder.is_never() {
        parts.push(format!("holds {} back by {}", odds(medium.reorder), time(medium.reorder_by)));
    }
    if let Some(bits) = medium.bandwidth_bits {
        let (number, unit) = match bits {
            b if b % 1_000_000_000 == 0 => (b / 1_000_000_000, "Gbit/s"),
            b if b % 1_000_000 == 0 => (b / 1_000_000, "Mbit/s"),
            b if b % 1_000 == 0 => (b / 1_000, "kbit/s"),
            b => (b, "bit/s"),
        };
        parts.push(format!("{number}{unit}, {} may wait", size(medium.queue_bytes)));
    }
    parts.join(", ")
}

fn domains(plan: &Plan) -> Vec<Row> {
    let members = |d: usize| {
        let of = |g: &super::plan::GroupPlan| {
            g.nbt.as_ref().and_then(|n| n.domain).is_some_and(|r| r.index() == d)
        };
        plan.hosts.iter().filter(|h| of(&plan.groups[h.group.index()])).count()
    };
    let rows = plan.domains.iter().enumerate();
    rows.map(|(i, domain)| {
        let what = if domain.workgroup { "workgroup" } else { "domain" };
        let members = plural(members(i), "member");
        vec![domain.name.clone(), domain.netbios.clone(), format!("{what}, {members}")]
    })
    .collect()
}

fn faults(words: &Words<'_>) -> Vec<Row> {
    let rows = words.plan.faults.iter();
    rows.map(|fault| {
        let when = match fault.schedule {
            FaultSchedule::At(at) => clock(at),
            FaultSchedule::Between(low, high) => format!("{}..{}", clock(low), clock(high)),
            FaultSchedule::Every { first, every, until } => {
                format!("{}..{} every {}", clock(first), clock(until), drawn(every))
            }
        };
        let mut text = words.fault(&fault.kind);
        if let Some(lasts) = fault.lasts {
            let _ = write!(text, ", for {}", drawn(lasts));
        }
        vec![when, fault.label.clone(), text]
    })
    .collect()
}

fn expects(words: &Words<'_>) -> Vec<Row> {
    let rows = words.plan.expects.iter();
    rows.map(|expect| {
        let condition = words.condition(&expect.condition);
        let (kind, when) = match &expect.kind {
            ExpectKind::Never(period) => ("never", between(words, period)),
            ExpectKind::Always(period) => ("always", between(words, period)),
            ExpectKind::Reach(period) => ("once", between(words, period)),
            ExpectKind::Goal { after, within, stays } => {
                let mut text = format!("within {} after {}", time(*within), words.moment(*after));
                if let Some(stays) = stays {
                    let _ = write!(text, ", and stays so for {}", time(*stays));
                }
                ("goal", text)
            }
        };
        vec![kind.to_string(), format!("{}\n{condition}\n{when}", expect.name)]
    })
    .collect()
}

fn between(words: &Words<'_>, period: &Period) -> String {
    format!("from {} to {}", words.moment(period.from), words.moment(period.until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_file;
    use std::path::Path;

    #[test]
    fn the_smallest_scenario_in_words() {
        let plan = load_file(Path::new("scenarios/basics/two-hosts.toml"), &[]).unwrap();
        insta::assert_snapshot!(explain(&plan), @r"
        two hosts and a WINS server
        10min of simulated time, 3 hosts, seed 1

        subnets
          office  10.0.0.0/24  3 hosts  delay 100us

        WINS servers
          wins  10.0.0.10  office  NT 4.0 SP6, on at 00:00
                                   has no partners
                                   H-node, asks wins, workstation

        hosts
          files      1  10.0.0.11  office  NT 4.0 SP6, on at 00:00
                                           H-node, asks wins, workstation
          desk       1  10.0.0.12  office  NT 4.0 SP6, on at 00:00
                                           H-node, asks wins, workstation

        workloads
          work  desk look up files, each every 1min on average, 00:02..00:10

        expectations
          always  the desk finds the file server
                  at least 100% of look-ups by all clients succeed
                  from the start to the end
        ");
    }

    #[test]
    fn every_shipped_scenario_fits_a_hundred_columns() {
        for file in ["wins/primary-failover", "wins/static-mappings", "basics/roaming"] {
            let path = format!("scenarios/{file}.toml");
            let plan = load_file(Path::new(&path), &[]).unwrap();
            let text = explain(&plan);
            assert_eq!(text, explain(&plan));
            for line in text.lines() {
                assert!(line.chars().count() <= WIDTH, "{path}: {line}");
            }
        }
    }

    #[test]
    fn lines_are_broken_at_spaces_only() {
        assert_eq!(wrap("one two three", 8), ["one two", "  three"]);
        assert_eq!(wrap("a-very-long-word b", 4), ["a-very-long-word", "  b"]);
    }
}
