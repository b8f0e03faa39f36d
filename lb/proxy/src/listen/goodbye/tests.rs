use std::task::Poll;

use futures_util::future::poll_fn;
use proptest::prelude::*;
use tokio::time::{Instant, advance};

use super::*;

const PONG: [u8; 17] = [0, 0, 8, PING, ACK, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

/// A frame of data.
fn data(length: u8) -> Vec<u8> {
    let mut frame = vec![0, 0, length, 0, 0, 0, 0, 0, 1];
    frame.extend(std::iter::repeat_n(b'd', usize::from(length)));
    frame
}

fn preface() -> Vec<u8> {
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()
}

/// What is handed out when `pieces` have come, and nothing after them so far.
async fn handed_out(goodbye: &mut Goodbye, pieces: &[&[u8]]) -> Vec<u8> {
    let mut passed = Vec::new();
    for piece in pieces {
        if goodbye.passes(piece) {
            passed.extend_from_slice(piece);
        } else {
            goodbye.sort(piece);
        }
        passed.extend(ready(goodbye).await);
    }
    passed
}

/// What is ready, by a small buffer.
async fn ready(goodbye: &mut Goodbye) -> Vec<u8> {
    let mut passed = Vec::new();
    poll_fn(|context| {
        let mut bytes = [0; 5];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            if !goodbye.read(context, &mut buffer) {
                return Poll::Ready(());
            }
            passed.extend_from_slice(buffer.filled());
        }
    })
    .await;
    passed
}

#[tokio::test(start_paused = true)]
async fn requests_behind_the_answer_come_before_it() {
    let mut goodbye = Goodbye::new();
    let came = [preface(), data(3), PONG.to_vec(), data(4)].concat();
    let expected = [preface(), data(3), data(4)].concat();
    assert_eq!(handed_out(&mut goodbye, &[&came]).await, expected);
    advance(CROSSING / 2).await;
    assert_eq!(handed_out(&mut goodbye, &[&data(5)]).await, data(5));
    advance(CROSSING).await;
    assert_eq!(ready(&mut goodbye).await, PONG);
    // The next one waits for as long.
    assert!(handed_out(&mut goodbye, &[&PONG]).await.is_empty());
    assert!(goodbye.end());
    assert_eq!(ready(&mut goodbye).await, PONG);
}

#[tokio::test(start_paused = true)]
async fn it_never_comes_into_the_middle_of_a_frame() {
    let mut goodbye = Goodbye::new();
    let frame = data(9);
    let came = [preface(), PONG.to_vec(), frame[..12].to_vec()].concat();
    assert_eq!(handed_out(&mut goodbye, &[&came]).await, [&preface(), &frame[..12]].concat());
    advance(2 * CROSSING).await;
    assert!(ready(&mut goodbye).await.is_empty());
    let rest = [&frame[12..], &data(1)[..4]].concat();
    let expected = [&frame[12..], &PONG].concat();
    assert_eq!(handed_out(&mut goodbye, &[&rest]).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_second_answer_does_not_wait() {
    let mut goodbye = Goodbye::new();
    let began = Instant::now();
    let came = [preface(), PONG.to_vec(), PONG.to_vec()].concat();
    assert_eq!(handed_out(&mut goodbye, &[&came]).await, [&preface()[..], &PONG].concat());
    assert_eq!(began.elapsed(), Duration::ZERO);
}

proptest! {
    #[test]
    fn however_it_is_cut_all_of_it_comes(
        lengths in prop::collection::vec(any::<u8>(), 0..6),
        pong_at in 0_usize..6,
        cuts in prop::collection::vec(1_usize..40, 1..60),
    ) {
        let mut came = preface();
        let mut expected = preface();
        for (nth, length) in lengths.iter().enumerate() {
            if nth == pong_at {
                came.extend(PONG);
            }
            came.extend(data(*length));
            expected.extend(data(*length));
        }
        let has_pong = pong_at < lengths.len();
        let mut pieces = Vec::new();
        let mut rest = &came[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut goodbye = Goodbye::new();
            let mut passed = handed_out(&mut goodbye, &pieces).await;
            prop_assert_eq!(&passed, &expected);
            prop_assert_eq!(goodbye.end(), has_pong);
            passed.extend(ready(&mut goodbye).await);
            prop_assert_eq!(passed.len(), came.len());
            Ok(())
        })?;
    }
}
