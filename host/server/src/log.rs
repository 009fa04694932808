//! The log on standard error, written by a thread of its own: a reader that does not read must not hold up who has something to
//! say. Guests write into this log, and a pipe holds 64 KiB. What waits is bounded; beyond it lines are dropped and counted.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd as _,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// Bytes that wait to be written.
const WAITING: usize = 4 << 20;

/// Where a serving host's notes go, too.
static SERVING: OnceLock<Log> = OnceLock::new();

/// The log that notes go to, once this process serves: a note that waits for a reader would hold up reloads, and with them
/// revocations.
pub(crate) fn serving() -> Option<&'static Log> {
    SERVING.get()
}

/// Where log lines go. A clone is the same log.
#[derive(Clone)]
pub(crate) struct Log {
    lines: Sender<Message>,
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    bytes: AtomicUsize,
    dropped: AtomicU64,
}

enum Message {
    Line(Vec<u8>),
    /// Answered when all that came before is written.
    Flush(Sender<()>),
}

impl Log {
    /// The log on this process's standard error.
    pub(crate) fn to_stderr() -> io::Result<Self> {
        // A handle of its own: the thread that waits for a reader must not hold the lock of `io::stderr`.
        Self::to(File::from(io::stderr().as_fd().try_clone_to_owned()?))
    }

    fn to(file: File) -> io::Result<Self> {
        let (lines, messages) = mpsc::channel();
        let queue = Arc::<Queue>::default();
        let log = Self { lines, queue: Arc::clone(&queue) };
        thread::Builder::new().name("log".to_owned()).spawn(move || write(file, &messages, &queue))?;
        Ok(log)
    }

    /// From now on notes are written by the log's thread.
    pub(crate) fn takes_notes(&self) {
        let _first = SERVING.set(self.clone());
    }

    /// Waits until all is written, but not for ever.
    pub(crate) fn flush(&self, within: Duration) {
        let (written, done) = mpsc::channel();
        if self.lines.send(Message::Flush(written)).is_ok() {
            let _ = done.recv_timeout(within);
        }
    }
}

fn write(mut file: File, messages: &Receiver<Message>, queue: &Queue) {
    while let Ok(message) = messages.recv() {
        match message {
            Message::Line(line) => {
                // There is nowhere to tell that standard error is gone.
                let _ = file.write_all(&line);
                queue.bytes.fetch_sub(line.len(), Ordering::Relaxed);
                let dropped = queue.dropped.swap(0, Ordering::Relaxed);
                if dropped > 0 {
                    let _ = writeln!(file, "{dropped} lines of the log were dropped: nobody read them in time");
                }
            }
            Message::Flush(written) => {
                let _ = written.send(());
            }
        }
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let before = self.queue.bytes.fetch_add(line.len(), Ordering::Relaxed);
        let fits = before.saturating_add(line.len()) <= WAITING;
        if !fits || self.lines.send(Message::Line(line.to_vec())).is_err() {
            self.queue.bytes.fetch_sub(line.len(), Ordering::Relaxed);
            self.queue.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader},
        os::fd::OwnedFd,
        time::Instant,
    };

    use super::*;

    #[test]
    fn lines_that_nobody_reads_are_dropped_and_counted_and_hold_nobody_up() {
        let (reader, writer) = io::pipe().unwrap();
        let mut log = Log::to(File::from(OwnedFd::from(writer))).unwrap();
        let line = format!("{}\n", "x".repeat(999));
        let begun = Instant::now();
        for _ in 0..10_000 {
            log.write_all(line.as_bytes()).unwrap();
        }
        log.flush(Duration::from_millis(50));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let told = thread::spawn(move || {
            let (mut whole, mut dropped) = (0_u64, 0_u64);
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                match line.strip_suffix(" lines of the log were dropped: nobody read them in time") {
                    Some(count) => dropped += count.parse::<u64>().unwrap(),
                    None => whole += u64::from(line.len() == 999),
                }
            }
            (whole, dropped)
        });
        log.flush(Duration::from_secs(20));
        drop(log);
        let (whole, dropped) = told.join().unwrap();
        assert_eq!(whole + dropped, 10_000);
        // what waited, and what the pipe and the writer held
        assert!((WAITING as u64 / 1_000..WAITING as u64 / 1_000 + 200).contains(&whole), "{whole}");
    }
}
