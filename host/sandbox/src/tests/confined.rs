//! What a compiling child may not do, seen from inside: the probes run alone in a process of their own (this test binary again),
//! close themselves in as a child does, and try.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::ErrorKind,
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::{net::UnixDatagram, process::ExitStatusExt as _},
    process::{Command, Output},
    time::Duration,
};

use rustix::process::{Resource, Rlimit, Signal, getppid, kill_process, setrlimit};

use wardkeep_model::CompileLimits;

use crate::compile::confine;

const MEMORY: u64 = 256 << 20;

/// Runs one of the ignored tests below by itself.
fn probe(name: &str) -> Output {
    let test = format!("tests::confined::{name}");
    // What it makes there it cannot remove any more.
    let scratch = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("TMPDIR", scratch.path()).args(["--exact", &test, "--ignored", "--nocapture"]).output().unwrap()
}

fn confined() {
    let parent = getppid().unwrap().as_raw_nonzero().get().try_into().unwrap();
    confine::bound(&CompileLimits { time: Duration::from_secs(1), memory: MEMORY }, parent).unwrap();
    confine::close().unwrap();
}

fn denied<T>(what: &str, tried: std::io::Result<T>) {
    let Err(error) = tried else { panic!("{what} was possible") };
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{what}: {error}");
}

#[test]
fn a_compiling_child_has_no_network_no_files_and_no_other_process() {
    let output = probe("tries_everything");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("all was refused"), "{said}{output:?}");
}

#[test]
fn a_compiling_child_that_loops_ends_by_its_processor_time_and_names_it() {
    let output = probe("loops");
    assert_eq!(output.status.signal(), Some(Signal::XCPU.as_raw()), "{output:?}");
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn tries_everything() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    fs::write(&old, "x").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    confined();
    denied("to connect", TcpStream::connect(address));
    denied("to listen", TcpListener::bind("127.0.0.1:0"));
    denied("to accept", listener.accept());
    denied("to send", UdpSocket::bind("127.0.0.1:0"));
    denied("a local socket", UnixDatagram::unbound());
    denied("to read a file", fs::read(&old));
    denied("to read another's file", fs::read("/etc/passwd"));
    denied("to write a file", fs::write(&old, "y"));
    denied("to make a file", fs::write(&new, "y"));
    denied("to make a directory", fs::create_dir(&new));
    denied("to remove", fs::remove_file(&old));
    denied("to rename", fs::rename(&old, &new));
    denied("to link", fs::hard_link(&old, &new));
    denied("to list", fs::read_dir(directory.path()));
    denied("to look", fs::metadata(&old));
    denied("to execute", Command::new("/bin/true").spawn());
    denied("to signal", kill_process(rustix::process::getpid(), Signal::CONT).map_err(Into::into));
    let more = Rlimit { current: Some(1 << 40), maximum: Some(1 << 40) };
    denied("more memory", setrlimit(Resource::Data, more).map_err(Into::into));
    assert!(Vec::<u8>::new().try_reserve_exact(2 * MEMORY as usize).is_err(), "more memory than allowed");
    // What it does need.
    assert_eq!(std::thread::spawn(|| vec![7_u8; 1 << 20].len()).join().unwrap(), 1 << 20);
    println!("all was refused");
    // Without unwinding: the directory cannot be removed from in here, whoever ran this does.
    std::process::exit(0);
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn loops() {
    confined();
    loop {
        std::hint::spin_loop();
    }
}
