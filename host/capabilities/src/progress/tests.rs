use super::*;

fn report(done: f64) -> Progress {
    Progress { done, total: None, message: None }
}

async fn all(reports: &mut Reports) -> Vec<f64> {
    let mut read = Vec::new();
    while let Some(report) = reports.next().await {
        read.push(report.done);
    }
    read
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_is_faster_than_its_client_fills_nothing_and_the_newest_is_told() {
    let (reporter, mut reports) = Reporter::new();
    let mut call = CallProgress::to(Some(reporter));
    for done in 1..=500 {
        call.report(f64::from(done), None, None);
    }
    assert_eq!(call.dropped, 500 - 16);
    drop(call);
    let read = all(&mut reports).await;
    assert_eq!((read.len(), read.first(), read.last()), (16, Some(&1.0), Some(&500.0)));
}

#[tokio::test(start_paused = true)]
async fn reports_are_read_in_a_burst_and_then_at_twenty_a_second() {
    let (reporter, mut reports) = Reporter::new();
    let begun = Instant::now();
    for done in 0..16 {
        reporter.put(report(f64::from(done)));
        reports.next().await.unwrap();
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    for done in 16..36 {
        reporter.put(report(f64::from(done)));
        reports.next().await.unwrap();
    }
    let took = begun.elapsed();
    assert!((Duration::from_millis(950)..=Duration::from_millis(1_050)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn where_words_are_hidden_only_the_numbers_of_a_report_go_on() {
    for (hides_words, message) in [(false, Some("at ada@example.com".to_owned())), (true, None)] {
        let (reporter, reports) = Reporter::new();
        let mut call = CallProgress { hides_words, ..CallProgress::to(Some(reporter)) };
        call.report(1.0, Some(2.0), Some("at ada@example.com".to_owned()));
        assert_eq!(reports.rest(), [Progress { done: 1.0, total: Some(2.0), message }]);
    }
}

#[tokio::test]
async fn what_does_not_grow_or_is_no_number_and_the_thousand_and_first_are_dropped() {
    let (reporter, _reports) = Reporter::new();
    let mut call = CallProgress::to(Some(reporter));
    for (done, total) in [(f64::NAN, None), (f64::INFINITY, None), (1.0, Some(f64::NAN)), (1.0, None), (1.0, None)] {
        call.report(done, total, None);
    }
    assert_eq!((call.made, call.dropped), (2, 4));
    for done in 2..=2_000 {
        call.report(f64::from(done), None, None);
    }
    assert_eq!(call.made, 1_000);
}

#[tokio::test]
async fn the_next_leg_of_a_call_goes_on_where_the_one_before_it_was() {
    let (reporter, mut reports) = Reporter::new();
    let mut first = CallProgress::to(Some(reporter.clone()));
    first.report(5.0, None, None);
    drop(first);
    let mut second = CallProgress::to(Some(reporter));
    second.report(1.0, None, None);
    second.report(6.0, None, None);
    assert_eq!(second.dropped, 1);
    drop(second);
    assert_eq!(all(&mut reports).await, [5.0, 6.0]);
}

#[tokio::test]
async fn a_message_is_one_tidy_line_of_bounded_length() {
    let (reporter, mut reports) = Reporter::new();
    let mut call = CallProgress::to(Some(reporter));
    call.report(1.0, Some(2.0), Some(format!("half\n\u{202e}{}", "x".repeat(1_000))));
    let message = reports.next().await.unwrap().message.unwrap();
    assert!(message.starts_with(r"half\u{a}\u{202e}xxx") && message.len() <= 512, "{message}");
}

#[tokio::test]
async fn without_a_client_that_asked_nothing_is_kept_or_counted() {
    let mut call = CallProgress::default();
    call.report(1.0, None, None);
    assert_eq!((call.made, call.dropped), (0, 0));
}
