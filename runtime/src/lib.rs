//! What each process of Penstock needs once: logs, metrics and the admin port, TLS that reloads, and a graceful end.
