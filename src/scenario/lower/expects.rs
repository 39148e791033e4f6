//! What must hold, and when.

use super::Build;
use super::services::static_kind;
use crate::base::{Odds, SimDuration, SimTime};
use crate::scenario::diagnose::{Mistake, nearest};
use crate::scenario::document::{Node, Table};
use crate::scenario::expectation::{
    Amount, Condition, CountRange, ExpectKind, ExpectPlan, Figure, Limit, Moment, Period,
    RecordMatch, RecordStateWord, Value as LimitValue,
};
use crate::scenario::language::CLUSTER_CONDITIONS;
use crate::scenario::plan::HostRef;
use crate::scenario::story::{FaultKind, FaultRef, FaultSchedule, StepRef};
use crate::scenario::values;

const ALL: Odds = Odds { numerator: 1, denominator: 1 };

/// A kind of expectation that holds over a period.
type MakeKind = fn(Period) -> ExpectKind;

/// The state a word names.
pub(super) fn record_state(word: &str) -> RecordStateWord {
    match word {
        "released" => RecordStateWord::Released,
        "tombstone" => RecordStateWord::Tombstone,
        _ => RecordStateWord::Active,
    }
}

impl Build<'_> {
    pub(super) fn expects(&mut self) {
        for (node, table) in self.listed("expect") {
            let condition = self.condition(table);
            let kind = self.expect_kind(node, table);
            if let (Some(condition), Some((name, kind))) = (condition, kind) {
                self.plan.expects.push(ExpectPlan { name, kind, condition });
            }
        }
    }

    fn expect_kind(&mut self, node: &Node, table: &Table) -> Option<(String, ExpectKind)> {
        if let Some(name) = table.text("goal") {
            for key in ["from", "until"] {
                self.misplaced(table, key, "a goal has `after`, `within` and `stays`");
            }
            let kind = self.goal(node, table);
            return Some((name.to_string(), kind?));
        }
        for key in ["after", "within", "stays"] {
            self.misplaced(table, key, "only a goal has it; use `from` and `until`");
        }
        let moment = |build: &mut Self, key| table.get(key).and_then(|n| build.moment(n));
        let from = moment(self, "from").unwrap_or(Moment::At(SimTime::ZERO));
        let end = SimTime::ZERO + self.plan.duration;
        let until = moment(self, "until").unwrap_or(Moment::At(end));
        if let (Moment::At(from), Moment::At(until), Some(node)) = (from, until, table.get("until"))
            && until <= from
        {
            self.mistake(node.span, "it ends before it begins");
        }
        let period = Period { from, until };
        let kinds: [(&str, MakeKind); 3] = [
            ("never", ExpectKind::Never),
            ("always", ExpectKind::Always),
            ("reach", ExpectKind::Reach),
        ];
        let (name, kind) = kinds.iter().find_map(|(key, kind)| Some((table.text(key)?, kind)))?;
        Some((name.to_string(), kind(period)))
    }

    fn misplaced(&mut self, table: &Table, key: &str, hint: &str) {
        if let Some(entry) = table.entries.iter().find(|e| e.key == key) {
            let mistake = Mistake::new(entry.key_span, format!("`{key}` does not belong here"));
            self.out.add(mistake.hint(hint));
        }
    }

    fn goal(&mut self, node: &Node, table: &Table) -> Option<ExpectKind> {
        let Some(within_node) = table.get("within") else {
            let mistake = Mistake::new(self.label_span(node, table), "a goal needs a deadline");
            self.out.add(mistake.note("write within = \"30min\", and after = \"heal\" or a time"));
            return None;
        };
        let within = values::duration(within_node.text()?).ok()?;
        let after = match table.get("after") {
            Some(node) => self.moment(node)?,
            None => Moment::At(SimTime::ZERO),
        };
        let stays = table.parse("stays", values::duration);
        if let Some(start) = self.fixed_time(after) {
            let hold = stays.unwrap_or(SimDuration::ZERO);
            let end = SimTime::ZERO + self.plan.duration;
            if start + within + hold > end {
                let message =
                    format!("the deadline, {}, is after the end of the run", start + within + hold);
                let mistake = Mistake::new(within_node.span, message);
                self.out.add(mistake.hint(format!("the run ends at {end}")));
            }
        }
        Some(ExpectKind::Goal { after, within, stays })
    }

    /// The time of a moment, if it is known before the run.
    fn fixed_time(&self, moment: Moment) -> Option<SimTime> {
        let fault = |f: FaultRef| self.plan.faults.get(f.index());
        match moment {
            Moment::At(time) => Some(time),
            Moment::Step(step) => self.plan.steps.get(step.index()).map(|s| s.at),
            Moment::FaultBegins(f) => match fault(f)?.schedule {
                FaultSchedule::At(time) => Some(time),
                _ => None,
            },
            Moment::FaultHeals(f) => match (fault(f)?.schedule, fault(f)?.lasts) {
                (FaultSchedule::At(time), Some(lasts)) => Some(time + lasts.high),
                _ => None,
            },
            Moment::LastHeal => None,
        }
    }

    /// `heal`, `heal of LABEL`, a label, or a time.
    fn moment(&mut self, node: &Node) -> Option<Moment> {
        let text = node.text()?.trim();
        if text == "heal" {
            let heals =
                |kind: &FaultKind, lasts: bool| lasts || matches!(kind, FaultKind::Reboot(_));
            let any = self.plan.faults.iter().any(|f| heals(&f.kind, f.lasts.is_some()));
            let broken = self.fault_labels.values().any(|f| f.0 == u32::MAX);
            if !any && !broken {
                let mistake = Mistake::new(node.span, "no fault of this scenario ever heals");
                self.out.add(mistake.hint("give one `lasts`"));
            }
            return Some(Moment::LastHeal);
        }
        if let Some(label) = text.strip_prefix("heal of ") {
            return self.heal_of(label.trim(), node);
        }
        if let Some(&fault) = self.fault_labels.get(text) {
            return (fault.0 != u32::MAX).then_some(Moment::FaultBegins(fault));
        }
        if let Some(&step) = self.step_labels.get(text) {
            return (step != StepRef(u32::MAX)).then_some(Moment::Step(step));
        }
        match values::time(text) {
            Ok(time) => {
                self.in_run(time, node.span);
                Some(Moment::At(time))
            }
            Err(_) => {
                self.unknown_moment(text, node);
                None
            }
        }
    }

    fn heal_of(&mut self, label: &str, node: &Node) -> Option<Moment> {
        let Some(&fault) = self.fault_labels.get(label) else {
            self.unknown_moment(label, node);
            return None;
        };
        let plan = self.plan.faults.get(fault.index())?;
        if plan.lasts.is_none() && !matches!(plan.kind, FaultKind::Reboot(_)) {
            let mistake = Mistake::new(node.span, format!("the fault `{label}` never heals"));
            self.out.add(mistake.hint("give it `lasts`"));
        }
        Some(Moment::FaultHeals(fault))
    }

    fn unknown_moment(&mut self, text: &str, node: &Node) {
        let labels: Vec<&str> =
            self.fault_labels.keys().chain(self.step_labels.keys()).map(String::as_str).collect();
        let mistake = Mistake::new(node.span, format!("unknown moment `{text}`"));
        let mistake = mistake.suggest(nearest(text, labels.iter().copied().chain(["heal"])));
        let known = match labels.is_empty() {
            true => "the scenario has no fault and no step".to_string(),
            false => format!("labels: {}", labels.join(", ")),
        };
        self.out
            .add(mistake.note("write a time, a label, \"heal\" or \"heal of LABEL\"").note(known));
    }

    /// The hosts of a condition, every client by default.
    fn askers(&mut self, table: &Table) -> Vec<HostRef> {
        match table.get("hosts") {
            Some(node) => self.host_set(node),
            None => self.clients(),
        }
    }

    fn condition(&mut self, table: &Table) -> Option<Condition> {
        let skip =
            ["never", "always", "goal", "reach", "from", "until", "after", "within", "stays"];
        let entry = table.entries.iter().find(|e| !skip.contains(&e.key.as_str()))?;
        let node = &entry.node;
        match entry.key.as_str() {
            "databases_agree" => return self.databases_agree(table, node),
            "one_holder" => {
                let name = node.text().map(|_| self.lookup_target(node));
                return match name {
                    Some(target) => Some(Condition::OneHolder { name: Some(target?.name) }),
                    None => Some(Condition::OneHolder { name: None }),
                };
            }
            key if CLUSTER_CONDITIONS.iter().any(|k| k.name == key) => {
                return self.cluster_condition(key, node, entry.key_span);
            }
            _ => {}
        }
        let inner = node.table()?;
        match entry.key.as_str() {
            "server_knows" => self.server_knows(inner),
            "server_lacks" => {
                let servers = inner.get("server").map(|n| self.wins_hosts(n));
                let name = inner.get("name").and_then(|n| self.lookup_target(n))?.name;
                Some(Condition::ServerLacks { servers: servers?, name })
            }
            "record_count" => self.record_count(inner),
            "owner_known" => {
                let servers = inner.get("server").map(|n| self.wins_hosts(n));
                let owner = inner.get("owner").and_then(|n| self.address_of(n)).map(|(a, _)| a);
                let within = self.count_range(inner, ["at_least", "at_most"], true);
                Some(Condition::OwnerKnown { servers: servers?, owner: owner?, within })
            }
            "hosts_resolve" => {
                let target = inner.get("name").and_then(|n| self.lookup_target(n));
                let address = inner.get("address").and_then(|n| self.address_of(n)).map(|(a, _)| a);
                let (hosts, target) = (self.askers(inner), target?);
                let address = address.or_else(|| self.virtual_address_of(&target.name));
                if let (None, None, Some(node)) = (target.host, address, inner.get("name")) {
                    let mistake = Mistake::new(node.span, "this is no host's name");
                    self.out.add(mistake.hint("add the `address` it must resolve to"));
                }
                Some(Condition::HostsResolve { hosts, target, address })
            }
            "answer" => self.answer(inner),
            "lookup_time" => self.lookup_time(inner),
            "measure" => self.measure(inner),
            _ => self.share_condition(&entry.key, inner),
        }
    }

    fn databases_agree(&mut self, table: &Table, node: &Node) -> Option<Condition> {
        let servers = match table.switch("databases_agree") {
            Some(_) => self.plan.wins_servers().collect(),
            None => self.wins_hosts(node),
        };
        if servers.len() < 2 {
            self.mistake(node.span, "it takes two WINS servers to agree");
        }
        Some(Condition::DatabasesAgree { servers })
    }

    fn server_knows(&mut self, table: &Table) -> Option<Condition> {
        let servers = table.get("server").map(|n| self.wins_hosts(n));
        let target = table.get("name").and_then(|n| self.lookup_target(n));
        let addresses = table.get("addresses").map(|n| self.addresses_of(n.items()));
        let owner = table.get("owner").and_then(|n| self.wins_host(n));
        let state = table.text("state").map(record_state);
        let version = self.count_range(table, ["version_min", "version_max"], false);
        let record = RecordMatch {
            name: target?.name,
            addresses,
            owner,
            version,
            state,
            kind: table.text("kind").map(static_kind),
            is_static: table.switch("static"),
        };
        Some(Condition::ServerKnows { servers: servers?, record })
    }

    fn record_count(&mut self, table: &Table) -> Option<Condition> {
        let servers = table.get("server").map(|n| self.wins_hosts(n));
        let owner = table.get("owner").map(|n| self.address_of(n));
        let within = self.count_range(table, ["at_least", "at_most"], true);
        let owner = match owner {
            Some(found) => Some(found?.0),
            None => None,
        };
        let state = table.text("state").map(record_state);
        Some(Condition::RecordCount { servers: servers?, owner, state, within })
    }

    /// A range of numbers from two keys; complains if neither is there but one is needed.
    pub(super) fn count_range(
        &mut self,
        table: &Table,
        keys: [&str; 2],
        needed: bool,
    ) -> CountRange {
        let [low, high] = keys;
        let within = CountRange { at_least: table.count(low), at_most: table.count(high) };
        if needed && table.get(low).is_none() && table.get(high).is_none() {
            let span = table.entries.first().map(|e| e.key_span).unwrap_or_default();
            let mistake = Mistake::new(span, "nothing is said about the number");
            self.out.add(mistake.hint(format!("add {high} or {low}")));
        }
        if let (Some(from), Some(to), Some(node)) =
            (within.at_least, within.at_most, table.get(high))
            && from > to
        {
            self.mistake(node.span, format!("`{high}` is below `{low}`"));
        }
        within
    }

    fn answer(&mut self, table: &Table) -> Option<Condition> {
        let name = table.get("name").and_then(|n| self.lookup_target(n));
        let contains = self.addresses_of(table.items("contains"));
        let lacks = self.addresses_of(table.items("lacks"));
        let starts_with = self.addresses_of(table.items("starts_with"));
        let count = table.count("count").and_then(|n| u32::try_from(n).ok());
        let hosts = self.askers(table);
        let said = ["contains", "lacks", "starts_with", "count"];
        if !said.iter().any(|key| table.get(key).is_some()) {
            let span = table.entries.first().map(|e| e.key_span).unwrap_or_default();
            let mistake = Mistake::new(span, "nothing is said about the answer");
            self.out.add(mistake.hint(format!("add one of: {}", said.join(", "))));
        }
        Some(Condition::Answer { hosts, name: name?.name, contains, lacks, starts_with, count })
    }

    fn lookup_time(&mut self, table: &Table) -> Option<Condition> {
        let name = match table.get("name") {
            Some(node) => Some(self.lookup_target(node)?.name),
            None => None,
        };
        let limit = |key| table.parse(key, values::duration);
        let (at_least, at_most) = (limit("at_least"), limit("at_most"));
        if table.get("at_least").is_none() && table.get("at_most").is_none() {
            let span = table.entries.first().map(|e| e.key_span).unwrap_or_default();
            let mistake = Mistake::new(span, "the time of a look-up needs a limit");
            self.out.add(mistake.hint("add at_most or at_least"));
        }
        Some(Condition::LookupTime { hosts: self.askers(table), name, at_least, at_most })
    }

    fn measure(&mut self, table: &Table) -> Option<Condition> {
        let value = |key: &str| -> Option<LimitValue> {
            match table.count(key) {
                Some(n) => Some(LimitValue::Count(n)),
                None => table.parse(key, values::limit),
            }
        };
        let limit = Limit { at_least: value("at_least"), at_most: value("at_most") };
        if table.get("at_least").is_none() && table.get("at_most").is_none() {
            let span = table.entries.first().map(|e| e.key_span).unwrap_or_default();
            let mistake = Mistake::new(span, "a measure needs a limit");
            self.out.add(mistake.hint("add at_most or at_least"));
        }
        let figure = match table.text("figure") {
            Some("count") => Figure::Count,
            Some("min") => Figure::Min,
            Some("p50") => Figure::P50,
            Some("p90") => Figure::P90,
            Some("p99") => Figure::P99,
            _ => Figure::Max,
        };
        Some(Condition::Measure { name: table.text("name")?.to_string(), figure, limit })
    }

    fn share_condition(&mut self, key: &str, table: &Table) -> Option<Condition> {
        let hosts = self.askers(table);
        let at_most = || match table.count("at_most") {
            Some(n) => Some(Amount::Count(n)),
            None => table.parse("at_most", values::amount),
        };
        Some(match key {
            "lookup_success" => Condition::LookupSuccess {
                hosts,
                at_least: table.parse("at_least", values::odds)?,
                window: table.parse("window", values::interval),
            },
            "stale_answers" => Condition::StaleAnswers { hosts, at_most: at_most()? },
            "wrong_answers" => Condition::WrongAnswers { hosts, at_most: at_most()? },
            "registered" => Condition::Registered {
                hosts,
                at_least: table.parse("at_least", values::odds).unwrap_or(ALL),
            },
            "current_server" => {
                let server = table.get("server").and_then(|n| self.wins_host(n));
                Condition::CurrentServer { hosts, server: server? }
            }
            "event_logged" => {
                let id = u32::try_from(table.count("id")?).ok()?;
                let hosts = match table.get("hosts") {
                    Some(_) => hosts,
                    None => (0..self.plan.hosts.len() as u32).map(HostRef).collect(),
                };
                Condition::EventLogged { hosts, id }
            }
            _ => return None,
        })
    }
}
