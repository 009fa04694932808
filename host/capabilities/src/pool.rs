//! Blocking file work, a bounded number at a time. A file system that hangs can hold the pool's threads, never a guest's worker.

use std::{panic::resume_unwind, sync::Arc};

use tokio::sync::Semaphore;

use crate::{CallToken, EndCall, Stop};

/// Where file work runs. A clone is the same pool.
#[derive(Debug, Clone)]
pub struct FilePool(Arc<Semaphore>);

impl FilePool {
    /// A pool that runs this many pieces of work at once, on the blocking threads of the runtime that it is called from.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self(Arc::new(Semaphore::new(threads.clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// Runs `work` unless the call has to end before or while it runs. Work that has begun runs to its end all the same and
    /// holds its place until then: it should look at the token now and then.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        token: &CallToken,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, EndCall> {
        let pool = Arc::clone(&self.0);
        let done = token
            .race(async move {
                // The semaphore is never closed.
                let place = pool.acquire_owned().await;
                tokio::task::spawn_blocking(move || {
                    let _place = place;
                    work()
                })
                .await
            })
            .await
            .map_err(EndCall::Stopped)?;
        match done {
            Ok(result) => Ok(result),
            // A panic goes on in the host function that asked, and ends that call only. Otherwise the runtime is going down.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(EndCall::Stopped(Stop::Killed)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_panic_of_the_work_goes_on_in_whoever_asked_and_gives_its_place_back() {
        let pool = FilePool::new(1);
        let asking = pool.clone();
        let asked = tokio::spawn(async move {
            let token = CallToken::new(Duration::from_secs(20));
            asking.run(&token, || panic!("on purpose")).await
        });
        assert!(asked.await.is_err_and(|error| error.is_panic()));
        assert_eq!(pool.run(&CallToken::new(Duration::from_secs(20)), || 7).await, Ok(7));
    }
}
