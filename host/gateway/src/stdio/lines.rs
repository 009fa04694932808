//! What stands between the process's own input and output and rmcp: bounded lines in, whole lines out.
//!
//! rmcp says nothing to a line that is too long or no JSON, and its sender would wait for ever. Here one task reads and screens
//! lines and passes on the good ones, and one task owns the output, so that its own answers never fall into a line of rmcp's.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, DuplexStream},
    sync::mpsc,
};
use tokio_util::task::AbortOnDropHandle;

use super::ids::PATIENCE;
use crate::{
    http::BODY_BYTES,
    screen::{Refusal, screened},
};

/// Bytes between these tasks and rmcp, in each direction.
const PIPE: usize = 64 << 10;
/// Refusals that wait for a client to read.
const REFUSALS: usize = 16;
/// What rmcp said last gets this long to be written when the service ends.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The tasks; they end with it.
pub(super) struct Lines {
    _reader: AbortOnDropHandle<()>,
    writer: AbortOnDropHandle<()>,
}

/// The other ends of the tasks.
pub(super) struct Ends {
    /// What rmcp reads.
    pub(super) read: DuplexStream,
    /// Where rmcp writes.
    pub(super) written: DuplexStream,
    /// Whole messages that are no answers of rmcp's.
    pub(super) refuse: mpsc::Sender<String>,
}

impl Lines {
    /// Starts both tasks.
    pub(super) fn between<R, W>(input: R, output: W) -> (Self, Ends)
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (messages, read) = tokio::io::duplex(PIPE);
        let (answers, written) = tokio::io::duplex(PIPE);
        let (refuse, refusals) = mpsc::channel(REFUSALS);
        let ends = Ends { read, written, refuse: refuse.clone() };
        let reader = tokio::spawn(async move {
            if let Err(error) = pass_on(BufReader::with_capacity(PIPE, input), messages, refuse).await {
                tracing::debug!(%error, "the client's messages ended badly");
            }
        });
        let writer = tokio::spawn(async move {
            if let Err(error) = write(BufReader::with_capacity(PIPE, answers), refusals, output).await {
                tracing::debug!(%error, "the client took no more answers");
            }
        });
        let lines = Self { _reader: AbortOnDropHandle::new(reader), writer: AbortOnDropHandle::new(writer) };
        (lines, ends)
    }

    /// After rmcp has ended: waits until what it said is written.
    pub(super) async fn finish(self) {
        if tokio::time::timeout(LAST_WORDS, self.writer).await.is_err() {
            tracing::debug!("the client did not read its last answers");
        }
    }
}

/// Ends with the input; a line that has no end is no message.
async fn pass_on(
    mut input: impl AsyncBufRead + Unpin,
    mut messages: DuplexStream,
    refuse: mpsc::Sender<String>,
) -> io::Result<()> {
    let mut line = Vec::new();
    while let Some(read) = next(&mut input, &mut line).await? {
        let passed = match read {
            Ok(()) if line.trim_ascii().is_empty() => continue,
            Ok(()) => screened(std::mem::take(&mut line)).await,
            Err(too_long) => Err(too_long),
        };
        match passed {
            Ok((mut message, _)) => {
                message.push(b'\n');
                messages.write_all(&message).await?;
                // one long line does not hold its memory for good
                if message.capacity() <= PIPE {
                    line = message;
                }
            }
            Err(refusal) => {
                let sent = tokio::time::timeout(PATIENCE, refuse.send(refusal.message())).await;
                sent.map_err(io::Error::from)?.map_err(|_| io::ErrorKind::BrokenPipe)?;
            }
        }
    }
    Ok(())
}

/// The next line, without its end; nothing at the end of input. A line over the limit is read to its end and not kept.
async fn next(input: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> io::Result<Option<Result<(), Refusal>>> {
    line.clear();
    let mut fits = true;
    loop {
        let available = input.fill_buf().await?;
        if available.is_empty() {
            return Ok(None);
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
        fits = fits && line.len() + part.len() <= BODY_BYTES;
        if fits {
            line.extend_from_slice(part);
        } else {
            *line = Vec::new();
        }
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(Some(if fits { Ok(()) } else { Err(Refusal::TooLong { most: BODY_BYTES }) }));
        }
    }
}

async fn write(
    mut answers: impl AsyncBufRead + Unpin,
    mut refusals: mpsc::Receiver<String>,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let (mut between_lines, mut more) = (true, true);
    loop {
        tokio::select! {
            refusal = refusals.recv(), if between_lines && more => match refusal {
                Some(refusal) => say(&mut output, refusal).await?,
                None => more = false,
            },
            bytes = answers.fill_buf() => {
                let bytes = bytes?;
                if bytes.is_empty() {
                    break;
                }
                output.write_all(bytes).await?;
                output.flush().await?;
                between_lines = bytes.ends_with(b"\n");
                let written = bytes.len();
                answers.consume(written);
            }
        }
    }
    // the reader sends these before it ends, and rmcp ends after that
    while let (true, Ok(refusal)) = (between_lines, refusals.try_recv()) {
        say(&mut output, refusal).await?;
    }
    Ok(())
}

async fn say(output: &mut (impl AsyncWrite + Unpin), mut refusal: String) -> io::Result<()> {
    refusal.push('\n');
    output.write_all(refusal.as_bytes()).await?;
    output.flush().await
}

#[cfg(test)]
mod tests;
