//! Admission: puts the launcher into Pods that ask for it.
