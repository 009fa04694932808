//! Guests of the end-to-end tests, hostile ones too.
