//! The process's own standard input and output, read and written by the thread that serves them. Clients connect them to pipes or sockets, which
//! can be waited for; anything else, such as a file or a terminal, is left as it is and has threads of its own that wait.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream as Blocking,
    },
    pin::Pin,
    task::{Context, Poll},
};

use rustix::fs::{FileType, OFlags, Stat, fcntl_getfl, fcntl_setfl, fstat};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{UnixStream, unix::pipe},
};

pub(super) struct Streams {
    pub(super) input: Stream<Box<dyn AsyncRead + Send + Unpin>>,
    pub(super) output: Stream<Box<dyn AsyncWrite + Send + Unpin>>,
}

/// One of them.
pub(super) struct Stream<S> {
    stream: S,
    _flags: Option<Flags>,
}

/// How an open file was, which others may share: it is put back.
struct Flags {
    file: OwnedFd,
    before: OFlags,
}

impl Drop for Flags {
    fn drop(&mut self) {
        let _best_effort = fcntl_setfl(&self.file, self.before);
    }
}

impl Flags {
    fn of(file: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self { before: fcntl_getfl(file)?, file: file.try_clone_to_owned()? })
    }
}

impl Streams {
    /// Those of this process. Nobody else may read or write them.
    pub(super) fn of_this_process() -> Self {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let input =
            input(stdin.as_fd()).unwrap_or_else(|| Stream { stream: Box::new(tokio::io::stdin()), _flags: None });
        // what logs go to as well is left alone: who writes them does not expect to be told to come again
        let apart = fstat(&stdout).is_ok_and(|one| fstat(&stderr).is_ok_and(|other| !same(&one, &other)));
        let output = (if apart { output(stdout.as_fd()) } else { None })
            .unwrap_or_else(|| Stream { stream: Box::new(tokio::io::stdout()), _flags: None });
        Self { input, output }
    }
}

fn same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

fn input(file: BorrowedFd<'_>) -> Option<Stream<Box<dyn AsyncRead + Send + Unpin>>> {
    let flags = Flags::of(file).ok()?;
    let own = file.try_clone_to_owned().ok()?;
    let stream: Box<dyn AsyncRead + Send + Unpin> = match kind(file)? {
        FileType::Fifo => Box::new(pipe::Receiver::from_owned_fd(own).ok()?),
        FileType::Socket => Box::new(socket(own).ok()?),
        _ => return None,
    };
    Some(Stream { stream, _flags: Some(flags) })
}

fn output(file: BorrowedFd<'_>) -> Option<Stream<Box<dyn AsyncWrite + Send + Unpin>>> {
    let flags = Flags::of(file).ok()?;
    let own = file.try_clone_to_owned().ok()?;
    let stream: Box<dyn AsyncWrite + Send + Unpin> = match kind(file)? {
        FileType::Fifo => Box::new(pipe::Sender::from_owned_fd(own).ok()?),
        FileType::Socket => Box::new(socket(own).ok()?),
        _ => return None,
    };
    Some(Stream { stream, _flags: Some(flags) })
}

fn kind(file: BorrowedFd<'_>) -> Option<FileType> {
    fstat(file).ok().map(|stat| FileType::from_raw_mode(stat.st_mode))
}

/// Of whatever family: only what reads and writes is used.
fn socket(file: OwnedFd) -> io::Result<UnixStream> {
    let stream = Blocking::from(file);
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn waits(file: &impl AsFd) -> bool {
        !fcntl_getfl(file).unwrap().contains(OFlags::NONBLOCK)
    }

    #[tokio::test]
    async fn a_pipe_is_waited_for_by_the_thread_itself_and_given_back_as_it_was() {
        let (read, mut write) = io::pipe().unwrap();
        let mut reads = input(read.as_fd()).unwrap();
        assert!(!waits(&read));
        write.write_all(b"x").unwrap();
        assert_eq!(reads.read_u8().await.unwrap(), b'x');
        let mut writes = output(write.as_fd()).unwrap();
        assert!(!waits(&write));
        writes.write_all(b"y").await.unwrap();
        assert_eq!(reads.read_u8().await.unwrap(), b'y');
        drop((reads, writes));
        assert!(waits(&read) && waits(&write));
    }

    #[tokio::test]
    async fn a_socket_too_and_nothing_else() {
        let (one, other) = Blocking::pair().unwrap();
        let (mut reads, mut writes) = (input(one.as_fd()).unwrap(), output(other.as_fd()).unwrap());
        writes.write_all(b"x").await.unwrap();
        assert_eq!(reads.read_u8().await.unwrap(), b'x');
        drop((reads, writes));
        assert!(waits(&one) && waits(&other));
        let file = tempfile::tempfile().unwrap();
        assert!(input(file.as_fd()).is_none() && output(file.as_fd()).is_none() && waits(&file));
    }
}
