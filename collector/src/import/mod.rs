//! Files of other sources become observations.
