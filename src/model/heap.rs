//! Memory that was freed and will be wanted again stays with the process.

/// From now on keeps some memory that was freed, where the C library is GNU's.
///
/// It gives memory back to the system as soon as much is free, and asks for it anew at the next pass,
/// page by page: a fifth of a pass's time.
pub(super) fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    gnu::keep_freed();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "there is no safe way to set the C library's allocator"
)]
mod gnu {
    use std::ffi::c_int;
    use std::sync::Once;

    /// `M_TRIM_THRESHOLD`: so much may be free at the heap's end.
    const TRIM_THRESHOLD: c_int = -1;
    /// `M_MMAP_THRESHOLD`: what is larger comes from the system and goes back to it.
    const MMAP_THRESHOLD: c_int = -3;

    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }

    pub(super) fn keep_freed() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let settings = [(TRIM_THRESHOLD, 256 << 20), (MMAP_THRESHOLD, 32 << 20)];
            for (parameter, value) in settings {
                // SAFETY: it takes two integers, locks what it changes, and refuses what is out of bounds.
                let is_set = unsafe { mallopt(parameter, value) } == 1;
                if !is_set {
                    tracing::debug!("the allocator refuses {value} for its parameter {parameter}");
                }
            }
        });
    }
}
