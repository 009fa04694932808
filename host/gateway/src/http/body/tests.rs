use super::*;

fn largest() -> Body {
    Body::from(format!("\"{}\"", "x".repeat(BODY_BYTES - 2)))
}

#[tokio::test]
async fn so_many_bytes_are_parsed_at_once_and_what_waits_too_long_is_told_so() {
    let mut bodies = Bodies::new();
    bodies.patience = Duration::from_millis(50);
    let mut held = Vec::new();
    for _ in 0..PARSED_BYTES / BODY_BYTES {
        held.push(bodies.read("user:me", &mut largest()).await.unwrap().body);
    }
    assert_eq!(bodies.read("user:me", &mut Body::from("{}")).await.map(drop), Err(Unread::Busy));
    bodies.patience = Duration::from_secs(60);
    let waiting = async { bodies.read("user:me", &mut Body::from("{}")).await.map(drop) };
    let ending = async {
        // what rmcp does: the frames are taken, then parsed, then the body is let go
        let mut body = held.pop().unwrap();
        while body.frame().await.is_some() {}
        assert_eq!(bodies.parsing.available_permits(), 0);
        drop(body);
    };
    assert_eq!(tokio::join!(waiting, ending).0, Ok(()));
    drop(held);
    assert_eq!(bodies.parsing.available_permits(), PARSED_BYTES);
    assert_eq!(bodies.reading.taken(), (0, 0));
}

/// A body of which these bytes have come, and the rest never comes.
fn unfinished(bytes: usize) -> Body {
    struct Half(Option<Bytes>);
    impl hyper::body::Body for Half {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            match self.0.take() {
                Some(bytes) => std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(bytes)))),
                None => std::task::Poll::Pending,
            }
        }
    }
    Body::new(Half(Some(Bytes::from(vec![b' '; bytes]))))
}

#[tokio::test]
async fn bodies_that_do_not_end_take_a_principal_s_part_and_another_still_gets_in() {
    let bodies = Bodies::new();
    let mut slow: Vec<_> = (0..READING_BYTES / PART / BODY_BYTES).map(|_| unfinished(BODY_BYTES)).collect();
    let mut reading: Vec<_> = slow.iter_mut().map(|body| Box::pin(bodies.read("user:slow", body))).collect();
    for read in &mut reading {
        assert!(futures_util::poll!(read).is_pending());
    }
    assert_eq!(bodies.reading.taken().0, READING_BYTES / PART);
    let one_more = bodies.read("user:slow", &mut Body::from("{}")).await.map(drop);
    assert_eq!(one_more, Err(Unread::Busy));
    let told = Unread::Busy.into_response();
    assert_eq!((told.status().as_u16(), &told.headers()["retry-after"]), (503, &HeaderValue::from_static("1")));
    assert_eq!(bodies.read("user:me", &mut largest()).await.map(drop), Ok(()));
    drop(reading);
    assert_eq!(bodies.reading.taken(), (0, 0));
}

#[tokio::test]
async fn a_large_answer_takes_room_until_its_bytes_are_gone() {
    let bodies = Bodies::new();
    let large = || vec![0_u8; BODY_BYTES].into_response();
    let mut waiting = Vec::new();
    for _ in 0..ANSWER_BYTES / PART / BODY_BYTES {
        let mut response = bodies.answer("user:slow", large()).await;
        assert_eq!(response.status(), StatusCode::OK);
        // what is left of it in a connection that does not move: its bytes, without the body
        waiting.push(response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap());
    }
    assert_eq!(bodies.answer("user:slow", large()).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(bodies.answer("user:slow", "small".into_response()).await.status(), StatusCode::OK);
    assert_eq!(bodies.answer("user:me", large()).await.status(), StatusCode::OK);
    drop(waiting);
    assert_eq!(bodies.answers.taken(), (0, 0));
}
