#!/usr/bin/env escript
%%! +S 1:1 -noinput
%% Plays histories on the real OTP and prints what happened, one line each.
%%
%%   escript otp_driver.erl FILE     FILE holds one history a term, as otp_history.py writes them
%%
%% One scheduler: who sends first is heard first, whoever he is. That makes the order of signals
%% of different senders, which OTP leaves open, the order of the history.
-module(otp_driver).
-mode(compile).
-export([main/1, start_worker/1, start_sup/1, start_pooled/2, start_gate/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-define(FOR_EVER, 1000000). %% seconds: no restart leaves the window while a history lasts

main([File]) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    {ok, Histories} = file:consult(File),
    [ets:new(Name, [named_table, public, Type]) || {Name, Type} <-
        [{lines, ordered_set}, {living, set}, {booted, set}, {named, set}, {scripts, set}, {counts, set}]],
    register(watcher, spawn_link(fun() -> watcher(#{}) end)),
    io:put_chars([play(History) || History <- Histories]).

%% -- one history ----------------------------------------------------------------------------

play({history, Number, Root, Scripts, Steps}) ->
    [ets:delete_all_objects(Name) || Name <- [lines, living, booted, named, scripts, counts]],
    ets:insert(scripts, Scripts),
    line("history ~w", [Number]),
    line("step boot"),
    register(observer, spawn_link(fun() -> observer([]) end)),
    case start_sup(Root) of
        {ok, Top} ->
            settle(),
            snapshot(),
            steps(1, Steps),
            line("step stop"),
            exit(Top, shutdown),
            settle();
        {error, _} ->
            settle(),
            line("boot failed")
    end,
    exit(whereis(observer), kill),
    settle_exit(observer),
    flush(),
    [[Text, $\n] || {_, Text} <- ets:tab2list(lines)].

steps(_, []) -> ok;
steps(Number, [Step | Rest]) ->
    line("step ~w", [Number]),
    Asked = step(Step),
    settle(),
    [receive {Tag, Answer} -> line("answer ~s ~s ~s", [Name, Verb, Answer]) end
     || {Name, Verb, Tag} <- Asked],
    observer ! {tell, self()},
    receive {heard, Heard} -> [line("heard ~s", [Text]) || Text <- lists:reverse(Heard)] end,
    snapshot(),
    steps(Number + 1, Rest).

%% Returns the requests whose answers are still to come.
step({die, Name, How}) -> die(Name, How), [];
step({script, Name, Outcomes}) -> ets:insert(scripts, {Name, Outcomes}), [];
step({ask, Name, Request}) -> [ask(Name, Request)];
step({gate, Name, Subs}) -> gate(Name, up(Name), Subs);
step({talk, Watched, Subs}) -> talk(Watched, Subs), [].

%% Ends a worker, or kills a supervisor; returns when its parent has been told.
die(Name, How) ->
    case up(Name) of
        none -> skip(Name);
        Pid ->
            Monitor = monitor(process, Pid),
            case How of
                kill -> exit(Pid, kill);
                _ -> gen_server:cast(Pid, {die, How})
            end,
            receive {'DOWN', Monitor, process, Pid, _} -> ok end
    end.

%% While the supervisor starts a child that does not come to an end, requests and deaths queue.
gate(Name, none, _) -> skip(Name), [];
gate(Name, Pid, Subs) ->
    Me = self(),
    spawn(fun() -> start_on(Pid, {gate, Me}) end),
    Gate = receive {in_gate, Entered} -> Entered end,
    Asked = lists:flatten([queue(Name, Pid, Sub) || Sub <- Subs]),
    Gate ! go,
    Asked.

queue(Name, Pid, {die, Child, How}) ->
    case up(Child) =/= none andalso parent(Child) of
        Name -> queued(Pid, fun() -> die(Child, How), [] end);
        _ -> skip(Child), []
    end;
queue(_, Pid, {ask, Name, Request}) -> queued(Pid, fun() -> ask(Name, Request) end).

queued(Pid, Act) ->
    {message_queue_len, Before} = process_info(Pid, message_queue_len),
    Done = Act(),
    longer(Pid, Before),
    Done.

longer(Pid, Before) ->
    case process_info(Pid, message_queue_len) of
        {message_queue_len, Now} when Now > Before -> ok;
        _ -> erlang:yield(), longer(Pid, Before)
    end.

%% While the observer is held, words and deaths queue; then it hears them.
talk(Watched, Subs) ->
    [watch(Name) || Name <- Watched],
    observer ! {hold, self()},
    receive held -> ok end,
    [begin say(Sub), settle() end || Sub <- Subs],
    observer ! release.

watch(Name) ->
    Pid = case up(Name) of none -> nobody(); Found -> Found end,
    observer ! {watch, Name, Pid, self()},
    receive watched -> ok end.

say({say, Name, Word}) ->
    case up(Name) of
        none -> skip(Name);
        Pid -> gen_server:call(Pid, {say, Word})
    end;
say({die, Name, How}) -> die(Name, How).

nobody() ->
    Pid = spawn(fun() -> ok end),
    Monitor = monitor(process, Pid),
    receive {'DOWN', Monitor, process, Pid, _} -> Pid end.

observer(Heard) ->
    receive
        {watch, Name, Pid, From} ->
            put(monitor(process, Pid), Name),
            From ! watched,
            observer(Heard);
        {hold, From} ->
            From ! held,
            receive release -> observer(Heard) end;
        {said, Name, Word} ->
            observer([io_lib:format("~s ~w", [Name, Word]) | Heard]);
        {'DOWN', Tag, process, _, Reason} ->
            observer([io_lib:format("~s down ~s", [get(Tag), kind(Reason)]) | Heard]);
        {tell, From} ->
            From ! {heard, Heard},
            observer([])
    end.

skip(Name) -> flush(), line("skip ~s", [Name]).

%% -- requests -------------------------------------------------------------------------------

ask(Name, Request) ->
    Pid = up(Name),
    Me = self(),
    Tag = make_ref(),
    spawn(fun() -> Me ! {Tag, answer(Pid, Request)} end),
    {Name, element(1, Request), Tag}.

answer(none, _) -> "dead";
answer(Pid, Request) ->
    try request(Pid, Request) of
        {ok, undefined} -> "ignored";
        {ok, _} -> "ok";
        ok -> "ok";
        {text, Text} -> Text;
        {error, {already_started, _}} -> "already_started";
        {error, Code} when is_atom(Code), Code =/= cannot -> atom_to_list(Code);
        {error, _} -> "start_failed"
    catch exit:_ -> "dead"
    end.

request(Pid, {which}) -> {text, which(Pid)};
request(Pid, {count}) -> {text, count(Pid)};
request(Pid, {start, Spec}) -> start_on(Pid, Spec);
request(Pid, {terminate, Name}) -> supervisor:terminate_child(Pid, key(Pid, Name));
request(Pid, {restart, Name}) -> supervisor:restart_child(Pid, Name);
request(Pid, {delete, Name}) -> supervisor:delete_child(Pid, Name).

start_on(Pid, Spec) ->
    case is_pool(Pid) of
        true -> supervisor:start_child(Pid, [Spec]);
        false -> supervisor:start_child(Pid, child(Spec))
    end.

%% A pool knows its children by pid only, and a dead one while it tries to restart it.
key(Pid, Name) ->
    case is_pool(Pid) of
        false -> Name;
        true -> case ets:lookup(named, Name) of [{_, Child, _}] -> Child; [] -> nobody() end
    end.

is_pool(Pid) ->
    case ets:lookup(living, Pid) of [{_, _, _, Kind}] -> Kind =:= pool; [] -> false end.

which(Pid) ->
    Found = supervisor:which_children(Pid),
    case is_pool(Pid) of
        true -> io_lib:format("~w up ~w restarting",
            [length([1 || {_, P, _, _} <- Found, is_pid(P)]),
             length([1 || {_, restarting, _, _} <- Found])]);
        false -> lists:join(" ", [[atom_to_list(Id), $:, state(P)] || {Id, P, _, _} <- Found])
    end.

state(Pid) when is_pid(Pid) -> "up";
state(undefined) -> "down";
state(restarting) -> "restarting".

count(Pid) ->
    Counts = supervisor:count_children(Pid),
    [S, A, Sup, W] = [proplists:get_value(Key, Counts) || Key <- [specs, active, supervisors, workers]],
    case is_pool(Pid) of
        true -> io_lib:format("~w ~w", [A, Sup + W]);
        false -> io_lib:format("~w ~w ~w ~w", [S, A, Sup, W])
    end.

%% -- when all is quiet ----------------------------------------------------------------------

settle() ->
    Before = happened(),
    States = [sync(Pid) || {Pid, _, _, Kind} <- ets:tab2list(living), Kind =/= worker],
    flush(),
    Orphans = [Pid || {Pid, _, Parent, _} <- ets:tab2list(living), not is_process_alive(Parent)],
    case Orphans =:= [] andalso lists:all(fun(State) -> State end, States)
         andalso happened() =:= Before of
        true -> ok;
        false -> erlang:yield(), settle()
    end.

sync(Pid) ->
    try supervisor:which_children(Pid) of
        Found -> [] =:= [1 || {_, restarting, _, _} <- Found]
    catch exit:_ -> false
    end.

settle_exit(Name) ->
    case whereis(Name) of undefined -> ok; _ -> erlang:yield(), settle_exit(Name) end.

flush() ->
    watcher ! {flush, self()},
    receive flushed -> drain() end.

drain() -> receive {'EXIT', _, _} -> drain() after 0 -> ok end.

%% All supervisors that live, by name, and their children.
snapshot() ->
    [line("tree ~s ~s ~s", [Name, which(Pid), ["/ ", count(Pid)]])
     || {Name, Pid} <- lists:sort([{Name, Pid} || {Pid, Name, _, Kind} <- ets:tab2list(living),
                                                  Kind =/= worker])].

%% -- children -------------------------------------------------------------------------------

child({worker, Name, Restart, Shutdown, Significant, _} = Spec) ->
    #{id => Name, start => {?MODULE, start_worker, [Spec]}, restart => Restart,
      shutdown => Shutdown, significant => Significant, type => worker};
child({sup, Name, _, _, _, Restart, Shutdown, Significant, _} = Spec) ->
    #{id => Name, start => {?MODULE, start_sup, [Spec]}, restart => Restart,
      shutdown => Shutdown, significant => Significant, type => supervisor};
child({pool, Name, _, Restart, Shutdown, Significant, _, _} = Spec) ->
    #{id => Name, start => {?MODULE, start_sup, [Spec]}, restart => Restart,
      shutdown => Shutdown, significant => Significant, type => supervisor};
child({gate, _} = Spec) ->
    #{id => gate, start => {?MODULE, start_gate, [Spec]}, restart => temporary}.

start_worker(Spec) -> gen_server:start_link(?MODULE, Spec, []).
start_gate(Spec) -> gen_server:start_link(?MODULE, Spec, []).

%% One that could not start its children has never been there for the others.
start_sup(Spec) ->
    case supervisor:start_link(?MODULE, Spec) of
        {ok, Pid} -> ets:insert(booted, {Pid}), {ok, Pid};
        Error -> Error
    end.
start_pooled(_, {gate, _} = Spec) -> start_gate(Spec);
start_pooled(Shutdown, Name) ->
    start_worker({worker, Name, permanent, Shutdown, false, obeys}).

init({sup, Name, Strategy, Intensity, Auto, _, _, _, Children}) ->
    begun(Name, sup),
    {ok, {#{strategy => Strategy, intensity => Intensity, period => ?FOR_EVER,
            auto_shutdown => Auto}, [child(Child) || Child <- Children]}};
init({pool, Name, Intensity, _, _, _, Restart, Shutdown}) ->
    begun(Name, pool),
    {ok, {#{strategy => simple_one_for_one, intensity => Intensity, period => ?FOR_EVER},
          [#{id => pooled, start => {?MODULE, start_pooled, [Shutdown]}, restart => Restart,
             shutdown => Shutdown}]}};
init({gate, Driver}) ->
    Driver ! {in_gate, self()},
    receive go -> ignore end;
init({worker, Name, _, _, _, Manner}) ->
    process_flag(trap_exit, true),
    case outcome(Name) of
        ok ->
            line("start ~s", [Name]),
            begun(Name, worker),
            ets:insert(booted, {self()}),
            {ok, {Name, Manner}};
        fail -> line("fail ~s", [Name]), {stop, cannot};
        ignore -> line("ignore ~s", [Name]), ignore;
        junk -> line("junk ~s", [Name]), junk
    end.

outcome(Name) ->
    case ets:lookup(scripts, Name) of
        [{_, [Outcome | Rest]}] -> ets:insert(scripts, {Name, Rest}), Outcome;
        _ -> ok
    end.

begun(Name, Kind) ->
    Parent = hd([P || P <- get('$ancestors')]),
    ets:insert(living, {self(), Name, Parent, Kind}),
    ets:insert(named, {Name, self(), Parent}),
    watcher ! {watch, self(), Name},
    receive watching -> ok end.

handle_call({say, Word}, _, {Name, _} = State) ->
    observer ! {said, Name, Word},
    {reply, ok, State}.

handle_cast({die, crash}, _) -> error(crash);
handle_cast({die, normal}, State) -> {stop, normal, State};
handle_cast({die, shutdown}, State) -> {stop, shutdown, State};
handle_cast({die, detail}, State) -> {stop, {shutdown, detail}, State}.

handle_info(_, State) -> {noreply, State}.

terminate(Reason, {Name, Manner}) ->
    line("stop ~s ~s", [Name, kind(Reason)]),
    case Manner of
        obeys -> ok;
        hangs -> receive never -> ok end;
        fails -> error(in_terminate)
    end.

%% -- what is known of the living ------------------------------------------------------------

up(Name) ->
    case ets:lookup(named, Name) of
        [{_, Pid, _}] -> case is_process_alive(Pid) of true -> Pid; false -> none end;
        [] -> none
    end.

parent(Name) ->
    case ets:lookup(named, Name) of
        [{_, _, Parent}] ->
            case ets:lookup(living, Parent) of [{_, Found, _, _}] -> Found; [] -> none end;
        [] -> none
    end.

%% Says how each process has ended.
watcher(Watched) ->
    receive
        {watch, Pid, Name} ->
            Monitor = monitor(process, Pid),
            Pid ! watching,
            watcher(Watched#{Monitor => Name});
        {'DOWN', Monitor, process, Pid, Reason} ->
            Name = maps:get(Monitor, Watched),
            ets:delete(living, Pid),
            case ets:take(booted, Pid) of
                [] -> ok;
                _ -> line("down ~s ~s", [Name, kind(Reason)])
            end,
            watcher(maps:remove(Monitor, Watched));
        {flush, From} -> From ! flushed, watcher(Watched)
    end.

kind(normal) -> "normal";
kind(shutdown) -> "shutdown";
kind({shutdown, _}) -> "shutdown";
kind(killed) -> "killed";
kind(noproc) -> "nobody";
kind(_) -> "error".

happened() -> ets:info(lines, size).

line(Text) -> line(Text, []).
line(Format, Values) ->
    ets:insert(lines, {ets:update_counter(counts, line, 1, {line, 0}),
                       io_lib:format(Format, Values)}).
