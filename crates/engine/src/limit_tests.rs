use super::*;

const RATE: Rate = Rate::Per { count: 2, window: Duration::from_secs(60) };

#[test]
fn a_call_that_is_given_back_was_never_made() {
    let limiter = Limiter::new("2/60s".parse().unwrap());
    assert!(limiter.take("a", Millis(0)).is_ok() && limiter.take("a", Millis(0)).is_ok());
    limiter.give_back("b");
    assert!(limiter.take("a", Millis(0)).is_err());
    limiter.give_back("a");
    assert!(limiter.take("a", Millis(0)).is_ok());
    assert!(limiter.take("a", Millis(0)).is_err());
    (0..9).for_each(|_| limiter.give_back("a"));
    assert_eq!((0..9).filter(|_| limiter.take("a", Millis(0)).is_ok()).count(), 2, "never below none");
}

#[test]
fn a_rate_is_read_as_it_is_written() {
    for (text, rate) in [
        ("off", Rate::Off),
        ("100/60s", Rate::Per { count: 100, window: Duration::from_secs(60) }),
        (" 5/1m ", Rate::Per { count: 5, window: Duration::from_secs(60) }),
        ("1/24h", Rate::Per { count: 1, window: Duration::from_secs(86_400) }),
    ] {
        assert_eq!(text.parse::<Rate>().unwrap(), rate, "{text}");
        assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
    }
    for wrong in
        ["", "on", "100", "100/", "100/60", "0/60s", "100/0s", "-1/60s", "1/2d", "1/25h", "1/60é", "1/s"]
    {
        assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
    }
}

#[test]
fn a_window_begins_with_the_first_call_and_ends_whole() {
    let limiter = Limiter::new(RATE);
    assert_eq!(limiter.take("a", Millis(1_000)), Ok(()));
    assert_eq!(limiter.take("a", Millis(50_000)), Ok(()));
    assert_eq!(limiter.take("a", Millis(51_000)), Err(Duration::from_secs(10)));
    assert_eq!(limiter.take("b", Millis(51_000)), Ok(()), "keys are counted apart");
    assert_eq!(limiter.take("a", Millis(60_999)), Err(Duration::from_millis(1)));
    assert_eq!(limiter.take("a", Millis(61_000)), Ok(()));
    assert_eq!(limiter.take("a", Millis(61_000)), Ok(()));
    assert_eq!(limiter.take("a", Millis(61_000)), Err(Duration::from_secs(60)));
}

#[test]
fn what_is_left_is_what_may_still_pass() {
    let limiter = Limiter::new(RATE);
    let left = |calls, ends: Option<u64>| Some(Left { calls, ends: ends.map(Duration::from_millis) });
    assert_eq!(limiter.left("a", Millis(0)), left(2, None));
    limiter.take("a", Millis(0)).unwrap();
    assert_eq!(limiter.left("a", Millis(1)), left(1, Some(59_999)));
    assert_eq!(limiter.left("b", Millis(1)), left(2, None), "keys are counted apart");
    for _ in 0..5 {
        let _refused_in_the_end = limiter.take("a", Millis(2));
    }
    assert_eq!(limiter.left("a", Millis(59_999)), left(0, Some(1)));
    assert_eq!(limiter.left("a", Millis(60_000)), left(2, None), "it is over");
    assert_eq!(Limiter::new(Rate::Off).left("a", Millis(0)), None);
}

#[test]
fn off_counts_nothing() {
    let limiter = Limiter::new(Rate::Off);
    for _ in 0..1_000 {
        assert_eq!(limiter.take("a", Millis(0)), Ok(()));
    }
    assert_eq!(limiter.windows.lock().unwrap().by_key.len(), 0);
}

#[test]
fn ended_windows_are_dropped_and_live_ones_are_bounded() {
    let limiter = Limiter::bounded(RATE, 10);
    for key in 0..25 {
        assert_eq!(limiter.take(&key.to_string(), Millis(key)), Ok(()));
    }
    assert_eq!(limiter.windows.lock().unwrap().by_key.len(), 10);
    for _ in 0..20 {
        let _either_way = limiter.take("later", Millis(200_000));
    }
    let windows = limiter.windows.lock().unwrap();
    assert_eq!((windows.by_key.len(), windows.order.len()), (1, 1));
}

#[test]
fn a_clock_that_goes_back_neither_locks_out_nor_leaks() {
    let limiter = Limiter::bounded(RATE, 10);
    assert_eq!(limiter.take("a", Millis(100_000)), Ok(()));
    assert_eq!(limiter.take("b", Millis(0)), Ok(()));
    assert_eq!(limiter.take("b", Millis(60_000)), Ok(()), "b's window ended behind a's");
    let windows = limiter.windows.lock().unwrap();
    assert_eq!((windows.by_key.len(), windows.order.len()), (2, 2));
}
