//! `--pcap`: every frame of a run into one capture, an interface for each subnet and link direction.

use crate::net::{Capture, Frame, Place, Transport};
use crate::report::pcapng::{
    CaptureError, CaptureWriter, CapturedPacket, InterfaceId, TcpFlags, Transport as Above,
};
use crate::report::{OutputError, PendingFile};
use crate::scenario::Plan;
use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::path::Path;
use std::rc::Rc;

/// The file's name in the output folder.
pub(super) const FILE: &str = "packets.pcapng";

/// The capture's writer, shared between the network that sees frames and the command that ends the file.
pub(super) struct CaptureFile {
    state: Rc<RefCell<State>>,
}

struct State {
    writer: Option<CaptureWriter<PendingFile>>,
    /// By subnet; then by link, forward and back.
    subnets: Vec<(InterfaceId, Ipv4Addr)>,
    links: Vec<[InterfaceId; 2]>,
    /// IPv4 identification, counted up: nothing in a run depends on it.
    next_id: u16,
    failed: Option<CaptureError>,
}

/// The half the network holds.
struct Tap(Rc<RefCell<State>>);

impl CaptureFile {
    /// Begins the capture below `dir`.
    ///
    /// # Errors
    /// The file cannot be created or written.
    pub(super) fn create(dir: &Path, plan: &Plan) -> Result<CaptureFile, OutputError> {
        let path = dir.join(FILE);
        let bad = |error: CaptureError| OutputError::other("write", &path, &error);
        let mut writer = CaptureWriter::new(PendingFile::create(&path)?).map_err(bad)?;
        let mut subnets = Vec::new();
        for subnet in &plan.subnets {
            let broadcast = subnet.broadcast();
            subnets.push((writer.interface(&subnet.name).map_err(bad)?, broadcast));
        }
        let mut links = Vec::new();
        for link in &plan.links {
            let [a, b] = link.ends.map(|end| plan.routers[end.index()].name.as_str());
            let mut way = |from, to| {
                writer.interface(&format!("{} ({from} to {to})", link.name)).map_err(bad)
            };
            links.push([way(a, b)?, way(b, a)?]);
        }
        let state = State { writer: Some(writer), subnets, links, next_id: 1, failed: None };
        Ok(CaptureFile { state: Rc::new(RefCell::new(state)) })
    }

    /// The half to give to the network.
    pub(super) fn tap(&self) -> Box<dyn Capture> {
        Box::new(Tap(self.state.clone()))
    }

    /// Writes the file's end; it gets its name when it is committed.
    ///
    /// # Errors
    /// Some frame could not be written, or the end of the file.
    pub(super) fn finish(self, dir: &Path) -> Result<PendingFile, OutputError> {
        let mut state = self.state.borrow_mut();
        let path = dir.join(FILE);
        if let Some(error) = state.failed.take() {
            return Err(OutputError::other("write", &path, &error));
        }
        let writer = state.writer.take().expect("a capture is finished once");
        let mut file =
            writer.finish().map_err(|error| OutputError::other("write", &path, &error))?;
        file.complete()?;
        Ok(file)
    }
}

impl Capture for Tap {
    fn frame(&mut self, frame: &Frame<'_>) {
        let state = &mut *self.0.borrow_mut();
        if state.failed.is_some() {
            return;
        }
        let destination = frame.header.destination;
        let (interface, broadcast) = match frame.place {
            Place::Subnet(subnet) => {
                let (interface, broadcast) = state.subnets[subnet.0 as usize];
                (interface, *destination.ip() == broadcast)
            }
            Place::Link { link, forward } => {
                (state.links[link.0 as usize][usize::from(!forward)], false)
            }
        };
        let transport = match frame.header.transport {
            Transport::Udp => Above::Udp,
            Transport::Tcp(segment) => Above::Tcp {
                sequence: segment.sequence,
                acknowledgment: segment.acknowledgement,
                flags: TcpFlags(segment.flags),
                window: segment.window,
            },
        };
        let packet = CapturedPacket {
            source: frame.header.source,
            destination,
            broadcast,
            ttl: frame.header.ttl,
            ip_id: state.next_id,
            transport,
            payload: frame.payload,
        };
        state.next_id = state.next_id.wrapping_add(1);
        if let Some(writer) = &mut state.writer
            && let Err(error) = writer.frame(interface, frame.time, &packet)
        {
            state.failed = Some(error);
        }
    }
}
