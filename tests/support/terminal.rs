//! A terminal of the test's own: what asks on a terminal is asked and answered as a person would.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

pub struct Asked {
    child: Child,
    terminal: File,
    /// Standard output and standard error, each for itself: pieces of the two must not mix.
    said: [Arc<Mutex<String>>; 2],
}

impl Asked {
    /// Starts the command with a terminal as its standard input.
    pub fn start(command: &mut Command) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let user = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let mut child =
            command.stdin(user).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("wardkeep starts");
        let said = [(); 2].map(|()| Arc::new(Mutex::new(String::new())));
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for (mut stream, said) in streams.into_iter().zip(&said) {
            let said = Arc::clone(said);
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    said.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
                }
            });
        }
        Self { child, terminal: File::from(controller), said }
    }

    /// Waits until it has said this.
    pub fn until(&self, words: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let said = self.said();
            if said.contains(words) {
                return said;
            }
            assert!(Instant::now() < deadline, "`{words}` is not in: {said}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Types a line, and gives the exit code and all that was said.
    pub fn answer(mut self, line: &str) -> (Option<i32>, String) {
        writeln!(self.terminal, "{line}").unwrap();
        let status = super::serving::wait(&mut self.child, Duration::from_secs(60)).expect("it ends");
        // The readers see the end of both streams soon after.
        thread::sleep(Duration::from_millis(100));
        (status.code(), self.said())
    }

    fn said(&self) -> String {
        self.said.iter().map(|said| said.lock().unwrap().clone()).collect()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
