//! Finding partners by multicast (MS-WINSRA 3.4, Q135922 `McastIntvl`, `McastTtl`, `UseSelfFndPnrs`).
//!
//! A server announces itself when it starts, every interval, and when it stops. With `UseSelfFndPnrs` each
//! announced address becomes a push and pull partner; a server that goes down stops being one, if it was
//! found this way.

use super::{Ctx, PartnerState, Replication};
use crate::base::SimDuration;
use crate::wins::io::WinsOutput;
use crate::wins::partners::Partner;
use crate::wire::discovery::{Announcement, GROUP, PORT};
use std::net::SocketAddrV4;

/// Partners taken up because they announced themselves: anybody can send an announcement, so there has to be
/// an end; the limit is that of configured partners before 4.0 SP4 (Q191428).
pub const FOUND_MAX: usize = 30;
/// How often a partner found is pulled from. Windows' value is not public; half an hour is what its
/// administration tool suggests for configured ones.
const INTERVAL: SimDuration = SimDuration::from_mins(30);

impl Replication {
    /// Announces this server, if it does so, and sets the next announcement.
    pub(super) fn announce(&mut self, up: bool, ctx: &mut Ctx<'_>) {
        let Some(settings) = ctx.core.profile.multicast else { return };
        let announcement = Announcement { up, addresses: vec![ctx.core.own.address()] };
        let bytes = ctx.out.write(|buf| announcement.encode(buf));
        let to = SocketAddrV4::new(GROUP, PORT);
        ctx.out.push(WinsOutput::Multicast { to, ttl: settings.ttl, bytes });
        let every = settings.interval.max(SimDuration::from_secs(1));
        self.next_announcement = up.then_some(ctx.now.time + every);
    }

    /// Another server announced itself.
    pub(super) fn announced(&mut self, announcement: &Announcement, ctx: &mut Ctx<'_>) {
        if !ctx.core.profile.use_found_partners {
            return;
        }
        for &address in &announcement.addresses {
            if address == ctx.core.own.address() {
                continue;
            }
            match (announcement.up, self.partner(address)) {
                (true, None) if self.found.len() < FOUND_MAX => {
                    self.found.insert(address);
                    self.partners.push(Partner::both_ways(address, INTERVAL));
                    let next_pull = Some(ctx.now.time + INTERVAL);
                    self.states.push(PartnerState { next_pull, ..PartnerState::default() });
                    self.enqueue_standard(vec![address]);
                }
                (false, Some(index)) if self.found.remove(&address) => {
                    self.partners.remove(index);
                    self.states.remove(index);
                    self.jobs.iter_mut().for_each(|job| job.drop_partner(address));
                }
                _ => {}
            }
        }
        self.advance(ctx);
    }
}
