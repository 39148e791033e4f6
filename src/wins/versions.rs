//! The version counter, and why it survives a power cut.
//!
//! Versions are reserved in blocks: a block's end is written to the store, and its versions are used only
//! once that write is durable. After a restart the counter starts above the last reserve, so what a power
//! cut took is never numbered again; the hole it leaves is no error (MS-WINSRA 3.1.1.2).

use super::record::VersionId;

/// Versions reserved ahead. More than half of it must outlast the registrations that arrive during one
/// commit, even with a full queue of 25,000 (Q154410) behind them; the price is a hole of at most this size
/// after a restart, out of 2^64. The next block is asked for when half is used.
pub const VERSION_RESERVE: u64 = 65_536;

/// Hands out version ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct VersionCounter {
    last: VersionId,
    durable_reserve: VersionId,
    /// A reserve on its way to the disk, with the ticket that makes it durable.
    asked: Option<(VersionId, u64)>,
}

impl VersionCounter {
    /// A counter after `last`, with nothing reserved yet.
    pub(crate) fn after(last: VersionId) -> VersionCounter {
        VersionCounter { last, durable_reserve: last, asked: None }
    }

    /// The last version handed out.
    pub(crate) fn last(&self) -> VersionId {
        self.last
    }

    /// The next version, `None` while the reserve is not durable.
    pub(crate) fn assign(&mut self) -> Option<VersionId> {
        if self.last >= self.durable_reserve {
            return None;
        }
        self.last = self.last.next();
        Some(self.last)
    }

    /// How many versions can be handed out now.
    pub(crate) fn available(&self) -> u64 {
        self.durable_reserve.0.saturating_sub(self.last.0)
    }

    /// The reserve to ask for now, if it is time.
    pub(crate) fn wanted(&self) -> Option<VersionId> {
        let due = self.asked.is_none() && self.available() <= VERSION_RESERVE / 2;
        due.then_some(VersionId(self.last.0.saturating_add(VERSION_RESERVE)))
    }

    /// The reserve was handed to the store under this ticket.
    pub(crate) fn asked(&mut self, reserve: VersionId, ticket: u64) {
        self.asked = Some((reserve, ticket));
    }

    /// Everything before `ticket` is durable.
    pub(crate) fn durable(&mut self, ticket: u64) {
        if let Some((reserve, needed)) = self.asked
            && ticket >= needed
        {
            self.durable_reserve = reserve.max(self.durable_reserve);
            self.asked = None;
        }
    }

    /// Raises the counter so that the next version is above `seen`: a partner knows of more versions of
    /// ours than we do (event 4295). Returns whether it was below.
    pub(crate) fn raise(&mut self, seen: VersionId) -> bool {
        let raised = seen > self.last;
        if raised {
            self.last = seen;
        }
        raised
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_handed_out_before_the_reserve_is_durable() {
        let mut counter = VersionCounter::after(VersionId(7));
        let reserve = counter.wanted().unwrap();
        assert_eq!(reserve, VersionId(7 + VERSION_RESERVE));
        counter.asked(reserve, 3);
        assert_eq!(counter.assign(), None);
        counter.durable(2);
        assert_eq!(counter.assign(), None);
        counter.durable(3);
        assert_eq!(counter.assign(), Some(VersionId(8)));
    }

    #[test]
    fn the_next_block_is_asked_for_at_half_and_the_counter_stops_at_the_end() {
        let mut counter = VersionCounter::after(VersionId(0));
        counter.asked(counter.wanted().unwrap(), 1);
        counter.durable(1);
        for n in 1..=VERSION_RESERVE {
            assert_eq!(counter.wanted().is_some(), n > VERSION_RESERVE / 2, "at {n}");
            assert_eq!(counter.assign(), Some(VersionId(n)));
        }
        assert_eq!(counter.assign(), None);
    }

    #[test]
    fn a_raised_counter_never_uses_unreserved_versions() {
        let mut counter = VersionCounter::after(VersionId(0));
        counter.asked(VersionId(10), 1);
        counter.durable(1);
        assert!(counter.raise(VersionId(500)) && !counter.raise(VersionId(4)));
        assert_eq!(counter.assign(), None);
        assert_eq!(counter.wanted(), Some(VersionId(500 + VERSION_RESERVE)));
    }
}
