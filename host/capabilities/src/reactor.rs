//! Which thread hears what arrives on a connection.
//!
//! A connection is made on the runtime of what guests wait for. A call that then drives it itself is not served well there: what arrives would
//! wake that runtime's thread first, and this the call's. On a thread that has said that it waits for connections of its own, it is heard there.

use std::{
    cell::OnceCell,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    runtime::Handle,
};

thread_local! {
    static HERE: OnceCell<Handle> = const { OnceCell::new() };
}

/// From now on connections of calls are heard on this thread, which waits in the runtime of this handle whenever it has nothing to do.
pub fn wait_here(own: &Handle) {
    HERE.with(|here| _ = here.set(own.clone()));
}

/// A connection that can be moved to where it is heard.
pub(crate) struct Stream(Option<TcpStream>);

impl Stream {
    pub(crate) const fn new(stream: TcpStream) -> Self {
        Self(Some(stream))
    }

    /// Has it heard on this thread, if that waits for connections of its own.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        HERE.with(|here| {
            let Some(own) = here.get() else { return Ok(()) };
            if let Some(stream) = self.0.take() {
                let _entered = own.enter();
                self.0 = Some(TcpStream::from_std(stream.into_std()?)?);
            }
            Ok(())
        })
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        // nothing is left of one that could not be moved
        self.0.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(context, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, net::TcpListener, time::Duration};

    use tokio::{io::AsyncReadExt as _, runtime::Builder, time::timeout};

    use super::*;

    #[test]
    fn a_connection_that_was_made_elsewhere_is_heard_where_it_has_settled() {
        // a runtime that nobody runs hears nothing
        let [elsewhere, own] = [(), ()].map(|()| Builder::new_current_thread().enable_all().build().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        near.set_nonblocking(true).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let mut stream = {
            let _entered = elsewhere.enter();
            Stream::new(TcpStream::from_std(near).unwrap())
        };
        let mut hear = |stream: &mut Stream| {
            far.write_all(b"x").unwrap();
            own.block_on(async { timeout(Duration::from_millis(200), stream.read_u8()).await }).is_ok()
        };
        // what has come already is found without being told; what comes next is not
        own.block_on(async { timeout(Duration::from_millis(20), stream.read_u8()).await }).unwrap_err();
        stream.settle().unwrap();
        assert!(!hear(&mut stream), "this thread has not said that it waits for connections of its own");
        wait_here(own.handle());
        stream.settle().unwrap();
        assert!(hear(&mut stream));
    }
}
