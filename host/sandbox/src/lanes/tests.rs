use std::{sync::atomic::AtomicU64, thread, time::Instant};

use tokio::sync::Notify;

use super::*;

const BUSY: Duration = Duration::from_millis(5);

/// Uses this much of a processor.
fn burn(time: Duration) {
    let begun = thread_time();
    while thread_time() - begun < time {
        std::hint::black_box((0..1_000).fold(1_u64, |n, m| std::hint::black_box(n ^ m)));
    }
}

/// Lets others run, as wasmtime does for a guest: it is woken at once and polled when its turn comes.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn lane() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

fn pace() -> Arc<Pace> {
    Arc::new(Pace::new(Line::new()))
}

async fn run<F: Future<Output: Send> + Send + 'static>(lanes: &Lanes, pace: &Arc<Pace>, guest: F) -> F::Output {
    lanes.run(Arc::clone(pace), guest).await.unwrap()
}

/// Needs little; gives the lane that it ran in.
async fn light() -> String {
    yield_now().await;
    lane()
}

/// Needs much; gives the lanes in which it began and ended.
async fn heavy() -> (String, String) {
    let began = lane();
    burn(BUSY);
    yield_now().await;
    (began, lane())
}

#[tokio::test]
async fn what_needs_little_stays_in_the_fast_lane_and_what_needs_much_is_moved() {
    let lanes = Lanes::new(1, 1).unwrap();
    assert_eq!(run(&lanes, &pace(), light()).await, "guest");
    assert_eq!(run(&lanes, &pace(), heavy()).await, ("guest".to_owned(), "guest-slow".to_owned()));
}

#[tokio::test]
async fn waiting_is_not_using() {
    let lanes = Lanes::new(1, 1).unwrap();
    let waits = async {
        tokio::time::sleep(10 * LITTLE).await;
        thread::sleep(10 * LITTLE);
        yield_now().await;
        lane()
    };
    assert_eq!(run(&lanes, &pace(), waits).await, "guest");
}

#[tokio::test]
async fn a_tool_that_was_slow_begins_slow_until_it_has_needed_little_for_some_calls() {
    let lanes = Lanes::new(1, 1).unwrap();
    let (slow, other) = (pace(), pace());
    run(&lanes, &slow, heavy()).await;
    for _ in 0..PROBATION {
        assert_eq!(run(&lanes, &slow, light()).await, "guest-slow");
        assert_eq!(run(&lanes, &other, light()).await, "guest");
    }
    assert_eq!(run(&lanes, &slow, light()).await, "guest");
}

#[tokio::test]
async fn many_loops_of_one_plugin_weigh_no_more_than_one_of_another() {
    let lanes = Arc::new(Lanes::new(1, 1).unwrap());
    let end = Instant::now() + Duration::from_secs(2);
    let start = |pace: &Arc<Pace>| {
        let slices = Arc::new(AtomicU64::new(0));
        let (lanes, pace, counted) = (Arc::clone(&lanes), Arc::clone(pace), Arc::clone(&slices));
        let guest = async move {
            while Instant::now() < end {
                burn(Duration::from_millis(1));
                counted.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        };
        let running = tokio::spawn(async move { run(&lanes, &pace, guest).await });
        (running, slices)
    };
    let (greedy, modest) = (pace(), pace());
    let many: Vec<_> = (0..16).map(|_| start(&greedy)).collect();
    let (one, slices) = start(&modest);
    one.await.unwrap();
    let mut of_many = 0;
    for (running, slices) in many {
        running.await.unwrap();
        of_many += slices.load(Ordering::Relaxed);
    }
    let of_one = slices.load(Ordering::Relaxed);
    assert!(of_one * 2 > of_many, "{of_one} beside {of_many} of sixteen");
}

#[tokio::test]
async fn who_waits_in_the_host_leaves_the_lane_to_others() {
    let lanes = Arc::new(Lanes::new(1, 1).unwrap());
    let pace = pace();
    let (wake, waits) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let waiting = {
        let (lanes, pace, wake, waits) = (Arc::clone(&lanes), Arc::clone(&pace), Arc::clone(&wake), Arc::clone(&waits));
        tokio::spawn(async move {
            let guest = async move {
                burn(BUSY);
                yield_now().await;
                waits.notify_one();
                wake.notified().await;
                lane()
            };
            run(&lanes, &pace, guest).await
        })
    };
    waits.notified().await;
    let (_, ended) = tokio::time::timeout(Duration::from_secs(20), run(&lanes, &pace, heavy())).await.unwrap();
    assert_eq!(ended, "guest-slow");
    wake.notify_one();
    assert_eq!(waiting.await.unwrap(), "guest-slow");
}

#[tokio::test]
async fn a_guest_that_nobody_waits_for_any_more_runs_to_its_end() {
    let lanes = Lanes::new(1, 1).unwrap();
    let ended = Arc::new(Notify::new());
    let guest = {
        let ended = Arc::clone(&ended);
        async move {
            burn(BUSY);
            yield_now().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            ended.notify_one();
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(10), lanes.run(pace(), guest)).await.is_err());
    tokio::time::timeout(Duration::from_secs(20), ended.notified()).await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_slow_lanes_threads_have_the_lower_priority() {
    let lanes = Lanes::new(1, 1).unwrap();
    let priority = || rustix::process::getpriority_process(None).unwrap();
    let guest = async move {
        let before = priority();
        burn(BUSY);
        yield_now().await;
        (before, priority())
    };
    let own = priority();
    let (fast, slow) = run(&lanes, &pace(), guest).await;
    assert_eq!((fast, slow), (own, (own + lane::NICE).min(19)));
}

#[tokio::test]
async fn a_panic_loses_its_own_guest_and_no_other() {
    let lanes = Lanes::new(1, 1).unwrap();
    let panics = |after: Duration| async move {
        burn(after);
        yield_now().await;
        panic!("on purpose")
    };
    for after in [Duration::ZERO, BUSY] {
        let lost: Result<(), Lost> = lanes.run(pace(), panics(after)).await;
        assert_eq!(lost, Err(Lost));
    }
    assert_eq!(run(&lanes, &pace(), heavy()).await.1, "guest-slow");
}

#[tokio::test]
async fn lanes_that_are_closed_lose_what_runs_and_what_comes_and_end_their_threads() {
    let lanes = Lanes::new(2, 1).unwrap();
    let slow = Arc::clone(&lanes.slow);
    let endless = async {
        loop {
            burn(Duration::from_millis(1));
            yield_now().await;
        }
    };
    let running = slow.run(Line::new(), endless);
    thread::sleep(Duration::from_millis(20));
    drop(lanes);
    assert_eq!(running.await, Err::<(), _>(Lost));
    assert_eq!(slow.run(Line::new(), async {}).await, Err(Lost));
    let begun = Instant::now();
    while Arc::strong_count(&slow) > 1 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the threads go on");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_thread_that_never_waits_hears_its_connections_all_the_same() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (told, own) = std::sync::mpsc::channel();
    let lane = Lane::start("test", 1, runtime.handle(), move |own| told.send(own.clone()).unwrap()).unwrap();
    let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let near = {
        let _entered = own.recv().unwrap().enter();
        tokio::net::UnixStream::from_std(near).unwrap()
    };
    let loops = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let busy = {
        let loops = Arc::clone(&loops);
        lane.run(Line::new(), async move {
            while loops.load(Ordering::Relaxed) {
                burn(Duration::from_micros(100));
                yield_now().await;
            }
        })
    };
    let hears = lane.run(Line::new(), async move { near.readable().await.is_ok() });
    std::io::Write::write_all(&mut far, b"x").unwrap();
    let heard = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), hears).await });
    loops.store(false, Ordering::Relaxed);
    assert_eq!(heard.unwrap(), Ok(true));
    runtime.block_on(busy).unwrap();
    lane.close();
}
