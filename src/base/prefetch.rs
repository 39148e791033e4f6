//! A hint to the cache, the one place of the program that needs `unsafe`.
//!
//! With a hundred thousand hosts an event waits for its target, its packet and its lane longer than it runs.
//! Reading them ahead (`black_box`) makes those waits overlap, but a read has to complete before the
//! instructions behind it can; a hint does not. `benches/net.rs` with 100,000 hosts runs about half as fast
//! again with it (`results/net-2026-11-22`).

/// Asks for the cache line in which `value` begins. Has no effect on what the program computes.
#[inline(always)]
#[allow(unsafe_code, reason = "measured; see above and the proof below")]
pub fn prefetch<T: ?Sized>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: PREFETCHT0 is part of SSE, which every x86_64 processor has. It reads nothing that the
        // program can see, writes nothing and never faults, whatever the address; this one is a reference's,
        // so it is even valid.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
