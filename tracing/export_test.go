package tracing

// Bound sets how many events are written.
func (c *Chrome) Bound(events int) { c.most = events }
