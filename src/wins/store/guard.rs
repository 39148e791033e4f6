//! A look at a database without touching it: what is written goes to memory, what is read comes from there
//! or from the file.
//!
//! `redb` repairs what it opens, and finds out only then whether the file can be repaired. So a file is
//! opened through here first, and for good only when everything in it was read and found whole.

use redb::StorageBackend;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard};

const PAGE: u64 = 4096;

/// A file below, changes above.
#[derive(Debug)]
pub(super) struct Overlay<B> {
    below: B,
    above: Mutex<Above>,
}

#[derive(Debug)]
struct Above {
    len: u64,
    /// Where the file below ends, or was once cut: what is not in `pages` is zero from here on.
    below_len: u64,
    pages: BTreeMap<u64, Box<[u8]>>,
}

impl<B: StorageBackend> Overlay<B> {
    pub(super) fn new(below: B) -> io::Result<Overlay<B>> {
        let len = below.len()?;
        let above = Mutex::new(Above { len, below_len: len, pages: BTreeMap::new() });
        Ok(Overlay { below, above })
    }

    fn above(&self) -> MutexGuard<'_, Above> {
        // Nobody panics with the lock held; if somebody did, the overlay is thrown away anyway.
        self.above.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The page as it is below.
    fn load(&self, page: u64, below_len: u64) -> io::Result<Box<[u8]>> {
        let mut bytes = vec![0; PAGE as usize].into_boxed_slice();
        let start = page * PAGE;
        let len = below_len.saturating_sub(start).min(PAGE) as usize;
        if len > 0 {
            self.below.read(start, &mut bytes[..len])?;
        }
        Ok(bytes)
    }
}

impl<B: StorageBackend> StorageBackend for Overlay<B> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.above().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let above = self.above();
        if offset + out.len() as u64 > above.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if above.pages.is_empty() && offset + out.len() as u64 <= above.below_len {
            return self.below.read(offset, out);
        }
        for (page, start, range) in parts(offset, out.len()) {
            let out = &mut out[range];
            match above.pages.get(&page) {
                Some(bytes) => out.copy_from_slice(&bytes[start..start + out.len()]),
                None => {
                    let bytes = self.load(page, above.below_len)?;
                    out.copy_from_slice(&bytes[start..start + out.len()]);
                }
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut above = self.above();
        if len < above.len {
            above.pages.retain(|page, _| page * PAGE < len);
            if let Some(bytes) = above.pages.get_mut(&(len / PAGE)) {
                bytes[(len % PAGE) as usize..].fill(0);
            }
            above.below_len = above.below_len.min(len);
        }
        above.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut above = self.above();
        above.len = above.len.max(offset + data.len() as u64);
        for (page, start, range) in parts(offset, data.len()) {
            if !above.pages.contains_key(&page) {
                let bytes = self.load(page, above.below_len)?;
                above.pages.insert(page, bytes);
            }
            let data = &data[range];
            if let Some(bytes) = above.pages.get_mut(&page) {
                bytes[start..start + data.len()].copy_from_slice(data);
            }
        }
        Ok(())
    }
}

/// Cuts a stretch at page boundaries: page, where in it, which part of the stretch.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let start = (at % PAGE) as usize;
        let part = (PAGE as usize - start).min(len - done);
        let range = done..done + part;
        done += part;
        Some((at / PAGE, start, range))
    })
}
