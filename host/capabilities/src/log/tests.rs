use super::*;

fn log(lines: u32, bytes: u32) -> GuestLog {
    let context = LogContext {
        plugin: "p".parse().unwrap(),
        tool: "t".parse().unwrap(),
        correlation: CorrelationId::from_bytes([7; 16]),
    };
    GuestLog::new(
        Some(context),
        &Limits { log_lines: lines, log_bytes: bytes, ..Limits::DEFAULT },
        Arc::new(Reach::nothing()),
    )
}

/// What `write` puts into the operator's log.
fn written(write: impl FnOnce()) -> String {
    use std::sync::{Arc, Mutex};
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let sink = Sink::default();
    let kept = sink.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || sink.clone())
        .with_ansi(false)
        .without_time()
        .with_max_level(tracing::Level::DEBUG)
        .finish();
    tracing::subscriber::with_default(subscriber, write);
    let bytes = kept.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_line_cannot_forge_another() {
    let out = written(|| log(5, 100).line(Level::Warn, "one\n2026 ERROR host: two\u{202e}\u{1b}[2J"));
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.contains(r"one\u{a}2026 ERROR host: two\u{202e}\u{1b}[2J"), "{out}");
    assert!(out.contains("guest") && out.contains("plugin=p") && out.contains("tool=t"), "{out}");
}

#[test]
fn where_words_are_hidden_a_line_tells_how_much_was_said_on_every_way() {
    let mut guest = GuestLog { hides_words: true, ..log(5, 100) };
    let out = written(|| {
        guest.line(Level::Warn, "secret");
        guest.stream(Standard::Error, b"secret\nsecr");
        guest.finish();
    });
    assert!(!out.contains("secr"), "{out}");
    assert_eq!(out.matches("[6 bytes that").count(), 2, "{out}");
    assert!(out.contains("WARN guest") && out.contains("[4 bytes that"), "{out}");
}

#[test]
fn lines_beyond_the_limit_are_dropped_and_counted() {
    let mut guest = log(2, 100);
    let out = written(|| (0..5).for_each(|_| guest.line(Level::Info, "x")));
    assert_eq!((out.lines().count(), guest.dropped), (2, 3));
}

#[test]
fn a_long_line_is_cut_at_a_character() {
    let cut = escaped(&"ä".repeat(100), 21);
    assert_eq!(cut, format!("{}…", "ä".repeat(9)));
    assert_eq!(escaped("exactly", 7), "exactly");
}

#[test]
fn standard_output_becomes_lines_and_a_protocol_message_in_it_is_one_of_them() {
    let mut guest = log(10, 50);
    let out = written(|| {
        guest.stream(Standard::Output, b"{\"jsonrpc\":\"2.0\"}\nha");
        guest.stream(Standard::Error, b"err");
        guest.stream(Standard::Output, b"lf\n");
        guest.finish();
    });
    let lines: Vec<_> =
        out.lines().map(|line| line.rsplit(": ").next().unwrap().split(" plugin").next().unwrap()).collect();
    assert_eq!(lines, [r#"{"jsonrpc":"2.0"}"#, "half", "err"], "{out}");
    assert!(out.contains("INFO guest: half") && out.contains("WARN guest: err"), "{out}");
}

#[test]
fn a_flood_without_end_of_line_is_cut_into_lines_and_holds_no_memory() {
    let mut guest = log(3, 10);
    let out = written(|| (0..1000).for_each(|_| guest.stream(Standard::Output, &[b'x'; 4096])));
    assert_eq!(out.lines().count(), 3);
    assert!(guest.dropped >= 1);
    assert!(guest.partial.iter().all(|partial| partial.len() <= 10));
}

#[test]
fn what_is_written_after_the_last_line_counts_once_a_write_and_is_not_looked_at() {
    let mut guest = log(1, 10);
    let out = written(|| {
        guest.stream(Standard::Output, b"last\n");
        guest.stream(Standard::Output, &[b'\n'; 4096]);
        guest.stream(Standard::Error, b"");
        guest.finish();
    });
    assert_eq!((out.lines().count(), guest.dropped), (1, 1), "{out}");
    assert!(guest.partial.iter().all(Vec::is_empty));
}
