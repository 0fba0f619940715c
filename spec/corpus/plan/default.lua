-- A container that says nothing.
return {}
