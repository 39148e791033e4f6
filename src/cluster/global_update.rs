//! Global updates (US6163855; FTCS-28 1998).
