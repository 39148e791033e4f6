//! What was watched, as measures, charts, shaded faults and notable moments.

use super::faults::Occurrence;
use super::watch::Watch;
use crate::base::SimTime;
use crate::measure::distribution::count;
use crate::measure::lookups::Answer;
use crate::measure::{FaultSpan, Histogram, Measure, NotableEvent, Series};
use crate::scenario::ProbeKind;
use crate::sim::{HostId, World};
use std::net::Ipv4Addr;

/// Occurrences of faults that get measures of their own; a fault every second has too many to read.
const MEASURED_OCCURRENCES_MAX: usize = 200;

impl Watch {
    /// The measures of the run, in a fixed order.
    pub(super) fn measures(
        &self,
        end: SimTime,
        occurrences: &[Occurrence],
        packets: &[(u64, Option<u64>)],
        world: &World,
    ) -> Vec<Measure> {
        let mut out = Vec::new();
        self.lookups.measures(&mut out);
        if self.lookups.count() > 0 {
            let stale = self.lookups.total(Answer::Stale) + self.lookups.total(Answer::Wrong);
            self.losses.measures(end, stale, !self.servers.is_empty(), &mut out);
        }
        self.convergence.measures(end, &mut out);
        self.fault_measures(end, occurrences, packets, world, &mut out);
        self.cluster.measures(&mut out);
        out.extend(self.register_time.measure("client.register_time"));
        for (name, value) in &self.counts {
            out.push(count(*name, "1", *value as f64));
        }
        for (id, n) in &self.logged {
            out.push(count(format!("events.{id}"), "1", *n as f64));
        }
        for (host, watch) in &self.servers {
            let name = self.plan.server_name(*host);
            let clustered = self.plan.wins_cluster(*host).map(|cluster| &cluster.hosts[..]);
            let hosts = clustered.unwrap_or(std::slice::from_ref(host)).iter();
            let servers = hosts.filter_map(|h| world.host(HostId(h.0)).server());
            let longest = servers.map(|s| s.cpu().longest[crate::sim::cpu::NAME_CHANGES]).max();
            let longest = longest.unwrap_or(0);
            out.push(count(format!("server.{name}.queue_peak"), "requests", longest as f64));
            let full = watch.queue_full as f64;
            out.push(count(format!("server.{name}.queue_dropped"), "requests", full));
            let counts = [
                ("commits", "1", watch.commits),
                ("notifications", "1", watch.notifications),
                ("pulls", "1", watch.pulls),
                ("records_pulled", "records", watch.records_pulled),
                ("versions", "1", watch.versions),
                ("refreshes", "1", watch.refreshes),
                ("events", "1", watch.events),
            ];
            for (what, unit, n) in counts {
                out.push(count(format!("server.{name}.{what}"), unit, n as f64));
            }
        }
        let totals = world.net.totals();
        out.push(count("net.packets", "packets", totals.sent as f64));
        out.push(count("net.bytes", "bytes", totals.bytes as f64));
        out.push(count("net.dropped", "packets", totals.dropped_total() as f64));
        out
    }

    fn fault_measures(
        &self,
        end: SimTime,
        occurrences: &[Occurrence],
        packets: &[(u64, Option<u64>)],
        world: &World,
        out: &mut Vec<Measure>,
    ) {
        let labels = self.labels(occurrences);
        for (index, occurrence) in occurrences.iter().enumerate().take(MEASURED_OCCURRENCES_MAX) {
            let label = &labels[index];
            let damage = &self.damage[index];
            let named = |what: &str| format!("fault.{label}.{what}");
            out.extend(damage.detect.measure(named("detect_time")));
            out.extend(damage.unresolved.measure(named("unresolved_time")));
            if let Some(at) = damage.recovered {
                let took = at.since(occurrence.from).as_secs_f64();
                out.push(count(named("recover_time"), "s", took));
            }
            out.push(count(named("failed_lookups"), "look-ups", damage.failed as f64));
            out.push(count(named("stale_answers"), "answers", damage.stale as f64));
            let healed = occurrence.until.filter(|&until| until <= end);
            if self.servers.len() > 1
                && let Some(healed) = healed
                && let Some(at) = self.convergence.first_agreement(healed)
            {
                let took = at.since(healed).as_secs_f64();
                out.push(count(named("converge_time"), "s", took));
            }
            let (before, after) = packets[index];
            let spent = after.unwrap_or(world.net.totals().sent).saturating_sub(before);
            out.push(count(named("messages_spent"), "packets", spent as f64));
        }
    }

    /// Each occurrence's label: the fault's, numbered if it happens more than once.
    fn labels(&self, occurrences: &[Occurrence]) -> Vec<String> {
        let mut total = vec![0usize; self.plan.faults.len()];
        occurrences.iter().for_each(|o| total[o.fault.index()] += 1);
        let mut seen = vec![0usize; self.plan.faults.len()];
        let label = |o: &Occurrence| {
            let label = self.plan.faults[o.fault.index()].label.replace(' ', "-");
            seen[o.fault.index()] += 1;
            match total[o.fault.index()] {
                1 => label,
                _ => format!("{label}.{}", seen[o.fault.index()]),
            }
        };
        occurrences.iter().map(label).collect()
    }

    /// What the charts draw.
    pub(super) fn charts(&self, end: SimTime) -> (Vec<Series>, Vec<Histogram>) {
        let (mut series, mut histograms) = (Vec::new(), Vec::new());
        self.lookups.charts(&mut series, &mut histograms);
        let name_of = |owner: Ipv4Addr| {
            let server = self.plan.server_at(owner);
            server.map_or_else(|| owner.to_string(), |server| self.plan.server_name(server))
        };
        self.convergence.charts(end, &name_of, &mut series, &mut histograms);
        self.cluster.charts(&mut series);
        for (host, watch) in &self.servers {
            if watch.queue.iter().any(|&(_, waiting)| waiting > 1.0) {
                series.push(Series {
                    chart: "queue".into(),
                    line: self.plan.server_name(*host),
                    unit: "requests waiting".into(),
                    steps: true,
                    points: watch.queue.clone(),
                });
            }
        }
        for (watch, probe) in self.probes.iter().zip(&self.plan.probes) {
            let unit = match probe.kind {
                ProbeKind::Records(_) => "names",
                ProbeKind::Queue(_) => "requests waiting",
                ProbeKind::Success(_) | ProbeKind::Registered(_) => "%",
                ProbeKind::Lookup { .. } => "s",
            };
            for (line, points) in watch.lines.iter().filter(|(_, points)| !points.is_empty()) {
                series.push(Series {
                    chart: format!("probe-{}", probe.name.replace(' ', "-")),
                    line: line.clone(),
                    unit: unit.into(),
                    steps: !matches!(probe.kind, ProbeKind::Success(_)),
                    points: points.clone(),
                });
            }
        }
        (series, histograms)
    }

    /// Faults as they were, for shading.
    pub(super) fn spans(&self, end: SimTime, occurrences: &[Occurrence]) -> Vec<FaultSpan> {
        let span = |o: &Occurrence| FaultSpan {
            name: self.plan.faults[o.fault.index()].label.clone(),
            from: o.from.as_secs_f64(),
            until: o.until.unwrap_or(end).min(end).as_secs_f64(),
        };
        occurrences.iter().filter(|o| o.from <= end).map(span).collect()
    }

    /// The moments a reader of the timeline wants to see.
    pub(super) fn notable(self) -> Vec<NotableEvent> {
        self.notable
    }
}
