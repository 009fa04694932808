//! Questions to the person at the terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::bail;

/// Asks on the terminal; the answer is no unless somebody says yes. Where nobody can be asked, `mend` says what to do instead.
pub(crate) fn yes(question: &str, mend: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nobody can be asked: standard input is no terminal\n  mend: {mend}");
    }
    let mut error = io::stderr().lock();
    // In one piece: what others write to the terminal meanwhile must not stand in the middle of it.
    error.write_all(format!("{question} [y/N] ").as_bytes()).and_then(|()| error.flush())?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
