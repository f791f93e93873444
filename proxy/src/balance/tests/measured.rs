//! Peak EWMA against instances whose latencies are made up, on a clock that only the test moves.

use tokio::time::advance;

use super::*;
use crate::upstream::Place;

/// What an instance does with a request.
#[derive(Clone, Copy)]
enum Does {
    Answers(u64),
    /// At once, with 503.
    Fails,
}

/// One request each millisecond for so long: how many of a thousand each instance got, and the mean of what they took.
async fn run(balance: &Balance, all: &[Instance], does: &[Does], millis: u64) -> (Vec<u64>, u64) {
    let mut under_way: Vec<(u64, usize, Place)> = Vec::new();
    let mut got = vec![0_u64; all.len()];
    let mut took = 0;
    for now in 0..millis {
        let (over, rest): (Vec<_>, Vec<_>) =
            under_way.into_iter().partition(|(until, ..)| *until <= now);
        under_way = rest;
        for (_, place, _) in &over {
            let took = match does[*place] {
                Does::Answers(took) => Duration::from_millis(took),
                Does::Fails => EWMA.penalty,
            };
            let pool = all[*place].pool.get().unwrap();
            pool.timing.took(took, EWMA);
        }
        drop(over);
        let chosen = balance.order(all, None, false).next().unwrap();
        let place = all
            .iter()
            .position(|one| std::ptr::eq(one, chosen))
            .unwrap();
        let until = match does[place] {
            Does::Answers(took) => now + took,
            Does::Fails => now + 1,
        };
        got[place] += 1;
        took += until - now;
        let work = give_work(chosen, 1).pop().unwrap();
        under_way.push((until, place, work));
        advance(Duration::from_millis(1)).await;
    }
    let shares = got.iter().map(|got| got * 1_000 / millis).collect();
    (shares, took / millis)
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_gets_next_to_nothing_until_it_is_fast_again() {
    let all = instances(&[(0, 1); 4]);
    let mut does = [Does::Answers(10); 4];
    does[2] = Does::Answers(300);
    let (even, mean) = run(&balance(Balancer::RoundRobin {}, &all), &all, &does, 4_000).await;
    assert_eq!((even, mean), (vec![250; 4], 82));

    let all = instances(&[(0, 1); 4]);
    let balance = balance(peak_ewma(), &all);
    let (shares, mean) = run(&balance, &all, &does, 4_000).await;
    assert!(shares[2] < 20, "{shares:?}");
    assert!(mean < 16, "{mean}");

    // What was seen of it fades, so it is tried again, and has its share in the end.
    does[2] = Does::Answers(10);
    run(&balance, &all, &does, 40_000).await;
    let (shares, _) = run(&balance, &all, &does, 4_000).await;
    assert!(shares[2] > 180, "{shares:?}");
}

#[tokio::test(start_paused = true)]
async fn who_fails_at_once_is_not_taken_for_fast() {
    let all = instances(&[(0, 1); 4]);
    let mut does = [Does::Answers(20); 4];
    does[1] = Does::Fails;
    let (shares, _) = run(&balance(peak_ewma(), &all), &all, &does, 4_000).await;
    assert!(shares[1] < 20, "{shares:?}");
}

#[tokio::test(start_paused = true)]
async fn who_gets_slow_loses_its_share_at_once() {
    let all = instances(&[(0, 1); 4]);
    let balance = balance(peak_ewma(), &all);
    let mut does = [Does::Answers(10); 4];
    run(&balance, &all, &does, 2_000).await;
    does[0] = Does::Answers(500);
    // Within the time of two of its responses.
    let (shares, _) = run(&balance, &all, &does, 1_000).await;
    assert!(shares[0] < 60, "{shares:?}");
}
