//! The doors: one public contract each. A door reads its wire format, makes one engine call and writes its
//! wire format; it decides nothing and knows no other door.

pub mod bundleup;
pub mod informer;
pub mod membrane;

#[cfg(test)]
mod tests {
    use axum::http::{StatusCode, header};
    use claviger_engine::error::Error;

    use super::*;

    #[test]
    fn every_door_says_when_to_come_back_where_there_is_too_much_to_do() {
        let busy = Error::busy();
        let answers = [
            bundleup::error::api(&busy),
            bundleup::error::proxy(&busy),
            informer::error::answer(&busy),
            membrane::error::answer(&busy),
        ];
        for answer in answers {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(answer.headers().contains_key(header::RETRY_AFTER));
        }
        let broken = membrane::error::answer(&Error::internal("broken"));
        assert_eq!(broken.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!broken.headers().contains_key(header::RETRY_AFTER));
    }
}
