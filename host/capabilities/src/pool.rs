//! Blocking file work, a bounded number at a time. A file system that hangs can hold the pool's threads, never a guest's worker.

use std::{panic::resume_unwind, sync::Arc};

use tokio::sync::Semaphore;

use crate::{CallToken, EndCall, Stop};

/// Pieces of one plugin's work that run at once: what one of them does with a file system that hangs leaves threads to others.
const OF_ONE: usize = 4;

/// Where the file work of one plugin runs. A clone is the same plugin's.
#[derive(Debug, Clone)]
pub struct FilePool {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
}

impl FilePool {
    /// A pool that runs this many pieces of work at once, on the blocking threads of the runtime that it is called from.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let all = Arc::new(Semaphore::new(threads.clamp(1, Semaphore::MAX_PERMITS)));
        Self { all, own: Arc::new(Semaphore::new(OF_ONE)) }
    }

    /// Another plugin's part of the same pool.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { all: Arc::clone(&self.all), own: Arc::new(Semaphore::new(OF_ONE)) }
    }

    /// Runs `work` unless the call has to end before or while it runs. Work that has begun runs to its end all the same and
    /// holds its place until then: it should look at the token now and then.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        token: &CallToken,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, EndCall> {
        let Self { all, own } = self.clone();
        let done = token
            .race(async move {
                // The semaphores are never closed. A plugin's own first: who waits for it must not hold a place of all.
                let places = (own.acquire_owned().await, all.acquire_owned().await);
                tokio::task::spawn_blocking(move || {
                    let _places = places;
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
    use std::{sync::mpsc, time::Duration};

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

    #[tokio::test]
    async fn a_plugin_whose_work_hangs_holds_its_own_part_and_no_more() {
        let pool = FilePool::new(2 * OF_ONE + 1);
        let token = CallToken::new(Duration::from_secs(20));
        let (begun, begins) = mpsc::channel();
        let mut ends = Vec::new();
        for plugin in [pool.share(), pool.share()] {
            for _ in 0..2 * OF_ONE {
                let (end, ended) = mpsc::channel::<()>();
                ends.push(end);
                let (plugin, token, begun) = (plugin.clone(), token.clone(), begun.clone());
                tokio::spawn(async move {
                    let work = move || {
                        begun.send(()).unwrap();
                        let _ = ended.recv();
                    };
                    plugin.run(&token, work).await
                });
            }
        }
        let soon = Duration::from_secs(10);
        let others = pool.share();
        assert_eq!(tokio::time::timeout(soon, others.run(&token, || 7)).await.unwrap(), Ok(7));
        tokio::task::spawn_blocking(move || {
            (0..2 * OF_ONE).for_each(|_| begins.recv_timeout(soon).unwrap());
            assert!(begins.recv_timeout(Duration::from_millis(100)).is_err(), "no more than their parts");
            drop(ends);
            (0..2 * OF_ONE).for_each(|_| begins.recv_timeout(soon).unwrap());
        })
        .await
        .unwrap();
    }
}
