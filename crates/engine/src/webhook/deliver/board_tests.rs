//! Who may begin: bounds, and the least busy first.

use super::*;

fn place(workspace: usize, endpoint: usize) -> (WorkspaceId, EndpointId) {
    let id = format!("wh_{workspace:03}_{endpoint:03}");
    (WorkspaceId::from_row(format!("ws_{workspace:03}")), EndpointId::from_row(id))
}

fn busy(places: &[((WorkspaceId, EndpointId), usize)]) -> Board {
    let mut board = Board::default();
    for ((workspace, endpoint), count) in places {
        (0..*count).for_each(|_| board.took_off(workspace, endpoint));
    }
    board
}

fn given(board: &Board, waiting: &[(WorkspaceId, EndpointId)], place: &(WorkspaceId, EndpointId)) -> usize {
    board.share(waiting).get(&place.1).copied().unwrap_or_default()
}

#[test]
fn an_endpoint_never_has_more_than_its_eight() {
    let one = place(0, 0);
    for (under_way, more) in [(0, 8), (1, 7), (7, 1), (8, 0)] {
        assert_eq!(given(&busy(&[(one.clone(), under_way)]), std::slice::from_ref(&one), &one), more);
    }
}

#[test]
fn many_dead_endpoints_leave_room_for_one_that_lives() {
    // As many dead ones of one workspace as it may have, each taking whatever it gets.
    let dead: Vec<_> = (0..100).map(|n| place(0, n)).collect();
    let mut board = Board::default();
    for _ in 0..5 {
        for (endpoint, count) in board.share(&dead) {
            (0..count).for_each(|_| board.took_off(&dead[0].0, &endpoint));
        }
    }
    assert_eq!(board.all, PER_WORKSPACE);
    let alive = place(1, 0);
    let mut waiting = dead;
    waiting.push(alive.clone());
    assert!(given(&board, &waiting, &alive) >= 1);
    assert_eq!(board.share(&waiting).len(), 1, "nobody else gets more");
}

#[test]
fn in_a_workspace_with_dead_endpoints_a_live_one_finds_a_place() {
    let dead: Vec<_> = (0..5).map(|n| (place(0, n), PER_ENDPOINT)).collect();
    let (board, alive) = (busy(&dead), place(0, 9));
    let waiting: Vec<_> = dead.iter().map(|(place, _)| place.clone()).chain([alive.clone()]).collect();
    assert_eq!(given(&board, &waiting, &alive), 1);
}

#[test]
fn dead_endpoints_never_take_the_last_places_of_their_workspace() {
    let dead: Vec<_> = (0..20).map(|n| place(0, n)).collect();
    let (mut board, alive) = (Board::default(), place(0, 99));
    for _ in 0..5 {
        for (endpoint, count) in board.share(&dead) {
            (0..count).for_each(|_| board.took_off(&dead[0].0, &endpoint));
        }
    }
    let waiting: Vec<_> = dead.iter().cloned().chain([alive.clone()]).collect();
    assert!(given(&board, &waiting, &alive) >= 1, "each of the dead could hold eight");
}

#[test]
fn the_process_is_bounded_and_the_least_busy_comes_first() {
    let others: Vec<_> = (0..127).map(|n| (place(n % 3, n), 1)).collect();
    let mut board = busy(&others);
    let (busy, idle) = (place(0, 500), place(7, 0));
    let waiting = [busy.clone(), idle.clone()];
    assert_eq!((given(&board, &waiting, &busy), given(&board, &waiting, &idle)), (0, 1), "the last place");
    board.took_off(&idle.0, &idle.1);
    assert!(board.is_full() && board.share(&waiting).is_empty());
    board.landed(&idle.0, &idle.1);
    assert!(!board.is_full() && board.share(&waiting).len() == 1);
    for ((workspace, endpoint), _) in &others {
        board.landed(workspace, endpoint);
    }
    assert!(board.all == 0 && board.workspaces.is_empty() && board.endpoints.is_empty(), "all is forgotten");
}

#[test]
fn workspaces_take_turns() {
    let crowd: Vec<_> = (0..60).map(|n| place(0, n)).collect();
    let few = [place(1, 0), place(2, 0)];
    let waiting: Vec<_> = crowd.iter().chain(&few).cloned().collect();
    let shares = Board::default().share(&waiting);
    for one in &few {
        assert_eq!(shares.get(&one.1), Some(&PER_ENDPOINT), "a crowd elsewhere takes nothing from it");
    }
}
