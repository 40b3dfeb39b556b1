package resource

import "maps"

// mergeObjects lays one object over another: what is an object in both is merged key
// by key, anything else is replaced as a whole. Neither is changed.
func mergeObjects(under, over object) object {
	out := make(object, len(under)+len(over))
	maps.Copy(out, under)
	for name, v := range over {
		a, below := under[name].(object)
		b, above := v.(object)
		if below && above {
			v = mergeObjects(a, b)
		}
		out[name] = v
	}
	return out
}

// layerValue is what one layer says of one resource.
type layerValue struct {
	layer string
	value object
}

// originsOf says of each value of what the layers make together, by path, which
// layer gave it: the last one that speaks of it.
func originsOf(layers []layerValue) map[string]string {
	var all object
	for _, l := range layers {
		all = mergeObjects(all, l.value)
	}
	out := map[string]string{}
	traceOrigins(out, "", all, layers)
	return out
}

func traceOrigins(out map[string]string, path string, of object, layers []layerValue) {
	for name, v := range of {
		var saying []layerValue
		for _, l := range layers {
			if said, ok := l.value[name]; ok {
				inner, _ := said.(object)
				saying = append(saying, layerValue{l.layer, inner})
			}
		}
		at := joinPath(path, name)
		if inner, ok := v.(object); ok && len(inner) > 0 {
			traceOrigins(out, at, inner, saying)
			continue
		}
		out[at] = saying[len(saying)-1].layer
	}
}
