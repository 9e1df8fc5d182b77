"""contract.py FOLDER: of kubectl's logs at -v=10, one line a request: method, path, status, shape.

The shape of a Status is its reason and details, of a Table its columns, of an object or a list its kind and the members that the first of
each has. Times, versions, names with random ends, the progress that status tells and the order of requests that run side by side are left
out. To whom takes both, kube-apiserver answers in protobuf and tutti in JSON: such an answer is "object" here.
"""
import glob
import json
import os
import re
import sys


def members(v, depth):
    if isinstance(v, dict) and depth:
        inner = (f"{k}{members(v[k], depth - 1 if k != 'status' else 0)}" for k in sorted(v) if k != "managedFields")
        return "{" + ",".join(inner) + "}"
    return ""


def shape(body, both):
    if both:
        return "object"
    try:
        v = json.loads(body)
    except ValueError:
        return "text" if body else "nothing"
    if not isinstance(v, dict):
        return "json"
    kind = v.get("kind")
    if not kind:
        return members(v, 1)
    if kind == "Status":
        return f"Status {v.get('reason', v.get('status'))} {members(v.get('details', {}), 1)}"
    if kind == "Table":
        return "Table " + "|".join(c["name"] for c in v.get("columnDefinitions", []))
    if "items" in v:
        return f"{kind} " + (members(v["items"][0], 2) if v["items"] else "empty")
    return f"{kind} {members(v, 1 if kind == 'Node' else 2)}"  # the nodes' own agents differ


def path_of(url):
    path = re.sub(r"^https?://[^/]+", "", url)
    path = re.sub(r"(resourceVersion|timeoutSeconds|continue|hash|uid)=[^&]*", r"\1=*", path)
    path = re.sub(r"involvedObject.uid%3D[0-9a-f-]+", "involvedObject.uid%3D*", path)
    path = re.sub(r"fieldSelector=involvedObject[^&]*", "fieldSelector=*", path)
    return re.sub(r"web-[0-9a-z]+(-[0-9a-z]{5})?", "web-*", path)


def lines(log):
    request, both = None, False
    rest = iter(log.splitlines())
    for line in rest:
        if line.startswith("\tcurl "):
            both = "Accept: application/vnd.kubernetes.protobuf" in line
        m = re.search(r'"Response" verb="(\w+)" url="([^"]*)" status="(\d+)', line)
        if m:
            request = f"{m[1]} {path_of(m[2])} {m[3]}"
        m = re.search(r'"Response Body" body=(.*)', line)
        if not m or not request:
            continue
        body = m[1]
        if body == "<":  # klog's form of a text with line breaks
            parts = []
            for line in rest:
                if line == " >":
                    break
                parts.append(line.removeprefix("\t"))
            body = "\n".join(parts)
        else:
            body = json.loads(body)
        told = shape(body, both)
        if request.startswith("DELETE"):  # of the object before or after it was marked
            told = told.replace("resourceVersion,", "")
        yield f"{request} {told}"
        request = None


for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.log"))):
    name = os.path.basename(path)[4:-4]
    with open(path[:-3] + "rc") as f:
        print("#", name)
        print("rc", f.read().strip())
    with open(path, errors="replace") as f:
        print("\n".join(sorted(set(lines(f.read())))))
