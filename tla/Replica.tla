------------------------------ MODULE Replica ------------------------------
\* Several nodes of one authority write one ledger, which lies on three copies: a primary and two that
\* follow it. What is stored is on the primary and on one that follows. A node grants only under its own
\* lease of R, counted from the sending of its newest answered look at the ledger. Nodes may be cut off,
\* restart, and stay with an old primary; a copy may be promoted that lacks what was stored.
\* Claim: nothing is admitted later than L + R after a press was stored. Press only; Reset.tla has the
\* way back.
\* Time: what is kept are ages and remainders, and not clocks, so that time has no end here. In every
\* tick of real time each clock advances 1 or 2 units, so L units are at most L ticks; a lease of L that
\* reads 0 is over, so the last tick in which it admits is L - 1, and of both together L + R - 2 = Bound.
\* Mutants: NoCheck (a node does not ask for its lease); FromReceipt (it counts from the answer);
\* Unlocked (a node that meets a promoted copy goes on); LooseLook (a primary answers looks though
\* nobody follows it any more); Grants (a cut-off node grants on after a press that it took itself);
\* and Bound = L + R - 3, which must fail, too: the bound is tight.
EXTENDS Naturals, FiniteSets
CONSTANTS N, L, R, Bound, MaxMsgs, NoCheck, FromReceipt, Unlocked, LooseLook, Grants, None
VARIABLES since, has, tl, second, left, knows, locked, taken, msgs, exp, bad
copies == <<since, has, tl, second>>
nodes == <<left, knows, locked, taken>>
vars == <<since, has, tl, second, left, knows, locked, taken, msgs, exp, bad>>
Copies == 1..3
Min(x, y) == IF x < y THEN x ELSE y

Init == /\ since = None /\ has = [c \in Copies |-> FALSE] /\ tl = [c \in Copies |-> 1] /\ second = 0
        /\ left = [n \in N |-> 0] /\ knows = [n \in N |-> FALSE] /\ locked = [n \in N |-> FALSE]
        /\ taken = [n \in N |-> FALSE] /\ msgs = {} /\ exp = 0 /\ bad = {}

\* A primary leads its timeline: copy 1 the first, the promoted one the second.
Leads(c) == (c = 1 /\ tl[1] = 1) \/ c = second
Followed(c) == \E f \in Copies \ {c} : tl[f] = tl[c] /\ has[f] = has[c]
ofNode(m) == m.t \in {"look", "seen"}
\* From that age on a message adds nothing, and counts as lost.
Use(m) == IF ofNode(m) THEN R ELSE L

Tick == /\ since' = (IF since = None THEN None ELSE Min(since + 1, L + R))
        /\ \E d \in [N -> {1, 2}], e \in {1, 2} :
              /\ left' = [n \in N |-> IF left[n] > d[n] THEN left[n] - d[n] ELSE 0]
              /\ exp' = (IF exp > e THEN exp - e ELSE 0)
              /\ msgs' = {m \in {[m EXCEPT !.age = Min(Use(m), @ + (IF ofNode(m) THEN d[m.n] ELSE e))] : m \in msgs} :
                              m.age < Use(m) \/ FromReceipt}
        /\ UNCHANGED <<has, tl, second, knows, locked, taken, bad>>

\* The ledger. A press is taken by a node, here or elsewhere; written at a primary, copied, and stored.
Take(n) == /\ ~taken[n] /\ taken' = [taken EXCEPT ![n] = TRUE]
           /\ UNCHANGED <<left, knows, locked, msgs, exp, bad>> /\ UNCHANGED copies
Write == /\ \E c \in Copies : Leads(c) /\ ~has[c] /\ has' = [has EXCEPT ![c] = TRUE]
         /\ UNCHANGED <<since, tl, second, msgs, exp, bad>> /\ UNCHANGED nodes
Copy == /\ \E c, f \in Copies : Leads(c) /\ has[c] /\ tl[f] = tl[c] /\ ~has[f] /\ has' = [has EXCEPT ![f] = TRUE]
        /\ UNCHANGED <<since, tl, second, msgs, exp, bad>> /\ UNCHANGED nodes
Store == /\ since = None /\ \E c \in Copies : Leads(c) /\ has[c] /\ Followed(c)
         /\ since' = 0
         /\ UNCHANGED <<has, tl, second, msgs, exp, bad>> /\ UNCHANGED nodes
Promote == /\ second = 0 /\ \E c \in {2, 3} : second' = c /\ tl' = [tl EXCEPT ![c] = 2]
           /\ UNCHANGED <<since, has, msgs, exp, bad>> /\ UNCHANGED nodes
\* Whoever follows the promoted one has what that one has: what was more is gone.
Follow == /\ second # 0 /\ \E c \in Copies : /\ tl[c] = 1 /\ tl' = [tl EXCEPT ![c] = 2]
                                             /\ has' = [has EXCEPT ![c] = has[second]]
          /\ UNCHANGED <<since, second, msgs, exp, bad>> /\ UNCHANGED nodes

\* Nodes.
Look(n) == /\ Cardinality(msgs) < MaxMsgs
           /\ msgs' = msgs \cup {[t |-> "look", n |-> n, age |-> 0, saw |-> FALSE, tl |-> 0]}
           /\ UNCHANGED <<exp, bad>> /\ UNCHANGED copies /\ UNCHANGED nodes
Answer == /\ \E m \in msgs, c \in Copies :
                /\ m.t = "look" /\ Leads(c) /\ (LooseLook \/ Followed(c))
                /\ msgs' = (msgs \ {m}) \cup {[m EXCEPT !.t = "seen", !.saw = has[c], !.tl = tl[c]]}
          /\ UNCHANGED <<exp, bad>> /\ UNCHANGED copies /\ UNCHANGED nodes
Learn == /\ \E m \in msgs :
               /\ m.t = "seen" /\ msgs' = msgs \ {m}
               /\ knows' = [knows EXCEPT ![m.n] = @ \/ m.saw]
               /\ locked' = [locked EXCEPT ![m.n] = @ \/ (m.tl # 1 /\ ~Unlocked)]
               /\ left' = [left EXCEPT ![m.n] = LET r == (IF FromReceipt THEN R ELSE R - m.age) IN IF r > @ THEN r ELSE @]
         /\ UNCHANGED <<taken, exp, bad>> /\ UNCHANGED copies
Lose == /\ \E m \in msgs : msgs' = msgs \ {m}
        /\ UNCHANGED <<exp, bad>> /\ UNCHANGED copies /\ UNCHANGED nodes
\* A restarted node knows what it took itself, and nothing else until its first look.
Restart(n) == /\ left' = [left EXCEPT ![n] = 0] /\ knows' = [knows EXCEPT ![n] = FALSE]
              /\ locked' = [locked EXCEPT ![n] = FALSE]
              /\ UNCHANGED <<taken, msgs, exp, bad>> /\ UNCHANGED copies

\* One gate, which asks any node.
Ask == /\ Cardinality(msgs) < MaxMsgs
       /\ msgs' = msgs \cup {[t |-> "req", n |-> None, age |-> 0, saw |-> FALSE, tl |-> 0]}
       /\ UNCHANGED <<exp, bad>> /\ UNCHANGED copies /\ UNCHANGED nodes
Grant(n) == /\ (NoCheck \/ left[n] > 0) /\ ~knows[n] /\ ~locked[n] /\ (Grants \/ ~taken[n])
            /\ \E m \in msgs : m.t = "req" /\ msgs' = (msgs \ {m}) \cup {[m EXCEPT !.t = "lease"]}
            /\ bad' = bad \cup (IF taken[n] THEN {"granted by a node that took a press"} ELSE {})
            /\ UNCHANGED exp /\ UNCHANGED copies /\ UNCHANGED nodes
Receive == /\ \E m \in msgs : /\ m.t = "lease" /\ exp' = (IF L - m.age > exp THEN L - m.age ELSE exp)
                              /\ \E keep \in BOOLEAN : msgs' = (IF keep THEN msgs ELSE msgs \ {m})
           /\ UNCHANGED bad /\ UNCHANGED copies /\ UNCHANGED nodes
Act == /\ exp > 0
       /\ bad' = bad \cup (IF since # None /\ since > Bound THEN {"late"} ELSE {})
       /\ UNCHANGED <<msgs, exp>> /\ UNCHANGED copies /\ UNCHANGED nodes

Next == \/ Tick \/ Write \/ Copy \/ Store \/ Promote \/ Follow \/ Answer \/ Learn \/ Lose \/ Ask \/ Receive \/ Act
        \/ \E n \in N : Take(n) \/ Look(n) \/ Restart(n) \/ Grant(n)
Spec == Init /\ [][Next]_vars
Safe == bad = {}
=============================================================================
