//! A connection whose peer must take what it asked for: an answer that nobody reads holds its memory, and a place.
//!
//! Only the time counts in which there is something to send and the peer takes none of it. It may owe [`GRACE`] and, besides, as much
//! as its bytes would take at [`SLOWEST`].

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// A peer may stand still for so long in all.
const GRACE: Duration = Duration::from_secs(30);
/// Bytes in a second that earn it no more patience.
const SLOWEST: u32 = 16 << 10;

pub(super) struct Paced<S> {
    stream: S,
    grace: Duration,
    /// How long the peer made us wait, less what its bytes were worth.
    owed: Duration,
    /// Since when the peer takes nothing, and when that is too long.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Paced<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self::with_grace(stream, GRACE)
    }

    const fn with_grace(stream: S, grace: Duration) -> Self {
        Self { stream, grace, owed: Duration::ZERO, waiting: None }
    }

    /// What a write gave, with the time that it took.
    fn account(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match wrote {
            Poll::Ready(Ok(bytes)) => {
                if let Some((since, _)) = self.waiting.take() {
                    self.owed += since.elapsed();
                }
                let worth = Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / SLOWEST;
                self.owed = self.owed.saturating_sub(worth);
                Poll::Ready(Ok(bytes))
            }
            Poll::Pending => {
                let left = self.grace.saturating_sub(self.owed);
                let (_, too_long) = self.waiting.get_or_insert_with(|| {
                    let now = Instant::now();
                    (now, Box::pin(sleep_until(now + left)))
                });
                ready!(too_long.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read its answer")))
            }
            failed => failed,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.account(cx, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.account(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const GRACE: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(1_024);
        let mut near = Paced::with_grace(near, GRACE);
        let begun = Instant::now();
        let error = near.write_all(&[0; 4_096]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= GRACE && begun.elapsed() < GRACE * 10, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_peer_that_takes_a_little_now_and_then_is_given_up_too() {
        let (near, mut far) = duplex(64);
        let mut near = Paced::with_grace(near, GRACE);
        let reading = async {
            // 64 bytes are worth 4 ms here, and each takes 50
            while far.read(&mut [0; 64]).await.is_ok_and(|bytes| bytes > 0) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let writing = async {
            let wrote = near.write_all(&[0; 1 << 20]).await;
            drop(near);
            wrote
        };
        let (wrote, ()) = tokio::join!(writing, reading);
        assert_eq!(wrote.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_keeps_pace_is_served_however_long_it_takes() {
        let (near, mut far) = duplex(8 << 10);
        let mut near = Paced::with_grace(near, GRACE);
        let reading = async {
            // 8 KiB are worth half a second, and each takes 20 ms: more than the grace in all
            let mut bytes = vec![0; 8 << 10];
            while far.read(&mut bytes).await.is_ok_and(|bytes| bytes > 0) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let writing = async {
            let wrote = near.write_all(&vec![0; 256 << 10]).await;
            drop(near);
            wrote
        };
        let begun = Instant::now();
        let (wrote, ()) = tokio::join!(writing, reading);
        assert!(wrote.is_ok() && begun.elapsed() > GRACE * 2, "{wrote:?} {:?}", begun.elapsed());
    }
}
