//! What the allocator keeps.

use std::time::Duration;

/// How often memory that was freed is given back.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(5);

/// glibc gives each thread an arena of its own, and keeps in each what was freed there: a quarter more memory after a
/// large read, and no less processor time. For the start of `main`.
pub fn use_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number of the allocator, before there are other threads.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Gives freed memory back to the system now and then; glibc by itself keeps it for as long as something lies behind it.
/// Never ends.
pub async fn keep_giving_back() {
    loop {
        tokio::time::sleep(GIVE_BACK_EVERY).await;
        #[cfg(target_env = "gnu")]
        // SAFETY: locks the allocator for itself; what is in use is not touched.
        let _ = tokio::task::spawn_blocking(|| unsafe { libc::malloc_trim(0) }).await;
    }
}
