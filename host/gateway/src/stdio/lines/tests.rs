use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

use super::{BODY_BYTES, Lines};

struct Ends {
    lines: Lines,
    input: DuplexStream,
    output: BufReader<DuplexStream>,
    read: BufReader<DuplexStream>,
    written: DuplexStream,
}

fn ends() -> Ends {
    let (input, theirs) = tokio::io::duplex(1 << 10);
    let (ours, output) = tokio::io::duplex(1 << 10);
    let (lines, super::Ends { read, written, .. }) = Lines::between(theirs, ours);
    Ends { lines, input, output: BufReader::new(output), read: BufReader::new(read), written }
}

async fn line(from: &mut BufReader<DuplexStream>) -> String {
    let mut line = String::new();
    from.read_line(&mut line).await.unwrap();
    line
}

async fn message(from: &mut BufReader<DuplexStream>) -> Value {
    serde_json::from_str(&line(from).await).unwrap()
}

#[tokio::test]
async fn a_good_line_goes_on_and_a_bad_one_is_answered() {
    let Ends { lines, mut input, mut output, mut read, written } = ends();
    input.write_all(b"{\"id\":1}\r\n\n \n{\"id\":2,\"id\":2}\nnonsense\n{\"id\":3}\n{\"unfinished\":").await.unwrap();
    drop(input);
    assert_eq!(line(&mut read).await, "{\"id\":1}\r\n");
    assert_eq!(line(&mut read).await, "{\"id\":3}\n");
    assert_eq!(line(&mut read).await, "", "the end of input is passed on, an unfinished line is not");
    let first = message(&mut output).await;
    assert_eq!((&first["id"], &first["error"]["code"]), (&Value::Null, &json!(-32_600)), "{first}");
    assert_eq!(message(&mut output).await["error"]["code"], json!(-32_700));
    drop((read, written));
    lines.finish().await;
    assert_eq!(line(&mut output).await, "");
}

#[tokio::test]
async fn a_line_at_the_limit_goes_on_and_one_beyond_it_is_answered() {
    let Ends { lines: _lines, mut input, mut output, mut read, written: _written } = ends();
    let long = |bytes: usize| format!("\"{}\"\n", "x".repeat(bytes - 2));
    let sending = tokio::spawn(async move {
        input.write_all(long(BODY_BYTES).as_bytes()).await.unwrap();
        input.write_all(long(BODY_BYTES + 1).as_bytes()).await.unwrap();
        input.write_all(long(4 * BODY_BYTES).as_bytes()).await.unwrap();
        input.write_all(b"{}\n").await.unwrap();
    });
    assert_eq!(line(&mut read).await.len(), BODY_BYTES + 1);
    for _ in 0..2 {
        let told = message(&mut output).await;
        assert_eq!(told["error"]["code"], json!(-32_600));
        assert_eq!(told["error"]["message"], json!("a message may have 4194304 bytes at most"));
    }
    assert_eq!(line(&mut read).await, "{}\n");
    sending.await.unwrap();
}

#[tokio::test]
async fn an_answer_never_falls_into_a_line_of_rmcp_s() {
    let Ends { lines, mut input, mut output, read, mut written } = ends();
    written.write_all(b"{\"half\":").await.unwrap();
    let mut begun = [0; 8];
    output.read_exact(&mut begun).await.unwrap();
    input.write_all(b"nonsense\n").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    written.write_all(b"1}\n").await.unwrap();
    assert_eq!(line(&mut output).await, "1}\n");
    assert_eq!(message(&mut output).await["error"]["code"], json!(-32_700));
    drop((input, read, written));
    lines.finish().await;
}
