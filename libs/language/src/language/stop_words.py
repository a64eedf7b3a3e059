"""Words that carry no meaning of their own, by language: articles, pronouns, prepositions, auxiliaries, question words.

Our own short lists: those of libraries hold "computer", "million" and "year", which questions ask for.
"""

from language.folding import fold

_WORDS = {
    "en": """
        a about after again all also am among an and any are as at be because been before being between both but
        by can could did do does doing during each either else ever every for from get got had has have having
        he her here hers herself him himself his how i if in into is it its itself just let like many may me
        might more most much must my myself no nor not of off on once only or other our ours out over own per
        please quite same shall she should since so some such than that the their theirs them themselves then
        there these they this those through to too under until up upon us very via was we were what whatever
        when where whether which while who whom whose why will with within without would yet you your yours don
        doesn didn isn aren wasn weren won couldn shouldn wouldn hasn haven hadn ll ve re
    """,
    "de": """
        aber alle allem allen aller alles als also am an ander andere anderem anderen anderer anderes auch auf
        aus bei beim bin bis bist da dabei dadurch dafür dagegen daher damit danach dann daran darauf daraus
        darin darüber darum das dass daß davon dazu dein deine dem den denen denn der deren des dessen dich die
        dies diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen einer eines er es
        etwa etwas euch euer für gegen habe haben hat hatte hatten hier hinter ich ihm ihn ihnen ihr ihre ihrem
        ihren ihrer ihres im in indem ins ist ja jede jedem jeden jeder jedes jene kann kein keine keinem keinen
        keiner können könnte man mehr mein meine mich mir mit muss müssen nach nicht nichts noch nun nur ob oder
        ohne schon sehr sein seine seinem seinen seiner seines seit sich sie sind so solche soll sollen sondern
        sonst sowie um und uns unser unter vom von vor wann war waren warum was wegen weil welche welchem
        welchen welcher welches wem wen wenn wer darf dürfen dürfte gibt gab mag möchte möchten viele vielen
        vieler wieso weswegen womöglich bzw bitte mal werden wessen weshalb wie wieso wieviel wieviele will wir
        wird wo wobei wodurch wofür woher wohin womit woraus worin worüber wovon wozu wurde wurden während wäre
        über würde zu zum zur zwar zwischen ab außer bevor bisher deinem deinen deiner deines demselben
        denselben derselben derselbe dieselbe dasselbe darfst durfte durften dürft eben eigentlich einander
        einige einigen einiger einiges eure eurem euren eurer genannt geworden gewesen gehabt habt hast hätte
        hätten heißen heißt hieß innerhalb jener jenem jenen jenes kannst könnt konnte konnten könnten lassen
        lässt manche manchen mancher manches meinem meinen meiner meines mögen musst musste mussten nennt nennen
        neben obwohl selbst seid seien sollst sollte sollten trotz unsere unserem unseren unserer unseres viel
        vielem wären wenig wenige weniger welch willst wirst wohl wollen wollte wollten woran worauf worden
        würden
    """,
    "es": """
        a al algo algunos ante antes como con contra cual cuál cuales cuáles cualquier cuando cuándo cuanta
        cuánta cuantas cuántas cuanto cuánto cuantos cuántos de del desde donde dónde dos durante e el él ella
        ellas ellos en entre era eran es esa esas ese eso esos esta está estaba están estas este esto estos fue
        fueron ha había han hasta hay la las le les lo los más me mi muy ni no nos o os otra otro para pero por
        porque que qué quien quién quienes se sea ser si sí sido sin sobre son su sus también te tiene tienen
        todo todos tu un una uno unos y ya yo
    """,
    "fr": """
        à a ai au aucun aussi autre aux avec avoir c ce ceci cela ces cet cette ceux chez combien comme comment
        d dans de des depuis donc dont du elle elles en entre est et était étaient été être eu fut il ils j je l
        la là le lequel laquelle les lesquels leur leurs lors lorsque lui m ma mais me même mes moins mon n ne
        ni nos notre nous on ont ou où par pas pendant peut plus pour pourquoi qu quand que quel quelle quelles
        quels qui quoi s sa sans se selon sera ses si son sont sous sur t ta te tes toi ton tous tout toute
        toutes très tu un une vers vos votre vous y
    """,
    "it": """
        a ad agli ai al alla alle allo anche che chi ci ciò come con contro cosa cui d da dagli dai dal dalla
        dalle dei del della delle dello di dopo dove due e è ed era erano essere fra fu furono gli ha hanno i il
        in io l la le lei li lo loro lui ma mi nei nel nella nelle nello noi non nostro o ogni per perché più
        può qual quale quali quando quanta quante quanti quanto quella quelle quelli quello questa queste questi
        questo se sei si sia sono sta su sua sue sugli sui sul sulla suo suoi tra tu tutti tutto un una uno vi
        voi
    """,
    "nl": """
        aan al alle als andere bij dan dat de der deze die dit doch doen door dus een en er ge geen had hadden
        heb hebben heeft hem het hier hij hoe hoeveel hun ik in is ja je kan kon kunnen maar me meer men met mij
        mijn moet na naar niet niets nog nu of om omdat onder ons ook op over te tegen toch toen tot u uit uw
        van veel voor waar waarom waarin wanneer want waren was wat we wel welk welke werd werden wie wij wil
        worden wordt zal ze zei zelf zich zij zijn zo zonder zou
    """,
    "pt": """
        a à ao aos aquela aquele aqueles as às até com como da das de dela dele deles depois do dos e é ela elas
        ele eles em entre era eram essa esse esta está estão estas este estes eu foi foram há isso isto já lhe
        mais mas me mesmo meu muito na não nas nem no nos nós num numa o onde os ou para pela pelas pelo pelos
        por porque porquê qual quais quando quanta quantas quanto quantos que quê quem são se sem ser será seu
        seus só sobre sua suas também te tem têm teve tinha um uma umas uns você
    """,
    "ru": """
        а без более больше будет будут бы был была были было быть в вам вас весь во вот все всего всех вы где да
        даже для до его ее её если есть еще ещё же за зачем здесь и из или им иметь имеет имели имел их к как
        какая какие каким какими каких какого какое какой каком какому какую когда кого кому который которая
        которое которые которого которой которых которую котором которым кем кто куда ли либо лишь между меня
        мне много может можно мой мы на над надо нам нас наш не него нее неё ней нет ни них но ну о об один одна
        одно однако он она они оно от откуда очень по под после потому почему при про раз с сам свой своего
        своей свои свою себе себя сейчас сколько со так также такая такие такое такой там тем то того тоже той
        только том тот ту ты у уже хотя чего чей чем чему через что чтобы чье чьё эта эти это этого этой этом
        этот эту я является являются являлся являлась будем будете будешь буду вами ваша ваше ваши вашего вашей
        ваших вашу всем всеми всей всю другая другие другое другого других другой каков какова каково каковы
        могла могли могло могут мог моя моё мое мои моего моей моих мою нами наша наше наши нашего нашей наших
        нашу называется называются называют назывался называлась называлось зовут нему ним ними ком чём чьей
        чьего чьих сама само сами самого самой собой собою своё своём свое своем своим своими такого таких такую
        твой твоя твое твои тебе тебя тобой теми тех тут этим этими этому именно кроме около перед ради среди
        против вместо ведь пока
    """,
    "fa": """
        از است استفاده اش اگر اما ام ان آن آنان آنها آنکه او ای ایا آیا این اینکه با باز باشد باشند باید بر برای
        برخی بسیار بعد بلکه بنابراین بود بودن بودند بوده به بی بیش بین پس پیش تا تر ترین تو چرا چطور چقدر چگونه
        چند چنین چه چو چون چی چیز چیزی چیست حتی خود خویش دارد دارند داشت داشتند داشته در درباره دو دیگر را روی
        زیر زیرا سوی شان شد شدن شدند شده شما شود شوند طبق طی علیه غیر فقط قبل کجا کجاست کدام کدامند کرد کردن
        کردند کرده کس کسی کسانی کن کند کنند کنید که کی کیست گاه ما مانند مثل مگر من مورد می نام نامیده نزد نسبت
        نمی نه نیز نیست ها های هایی هر هستند هم همان همه همچنین همین هنگام هنوز هیچ و وقتی ولی وی یا یعنی یک یکی
        هست میشود میکند میکنند
    """,
    "ar": """
        ا احد اذا اذ الا التي الذي الذين اللاتي اللتان اللذان الى اما ان انا انت انه انها او اول اي اية ايضا اين
        ب بان بعد بعض بل بن به بها بهذا بين تكون تلك ثم حتى حول حيث حين خلال دون ذلك سوف ضد ضمن عام على عليه
        عليها عن عند عندما غير ف فان فقد فقط في فيه فيها فيم قام قبل قد ك كان كانت كانوا كذلك كل كم كما كيف ل لا
        لاي لدى لذلك لقد لكن لكنه لم لماذا لما لمن لن له لها لهم لو ليس ليست ما ماذا ماهو ماهي مثل متى مع مما من
        منذ منه منها مهما نحن نحو هذا هذه هل هم هما هن هنا هناك هو هؤلاء هي و واما وان وقد وكان وكانت ولا ولم
        وما ومن وهو وهي وفي يتم يكون يمكن تم بماذا بم ولكن اسم عدد اسماء الان كانا لست لسنا ليسوا لنا لك لكم لي
        بهم بك بنا عليهم عليك اليه اليها اليهم فيهم منهم منا عنه عنها لان لأنه لأنها
    """,
    "zh": """
        什么 甚么 哪里 哪儿 哪些 哪个 哪一 哪位 哪种 哪年 多少 怎么 怎样 如何 为何 为什么 何时 何地 何处 几个
        是否 多久 是什么 什麼 哪裡 為什麼 為何 哪個 誰 谁 哪 吗 嗎 呢 吧 啊 的 了 是 请问 請問
    """,
    "ja": """
        とは 何 なに だれ 誰 どこ いつ なぜ どう どの どれ どんな いくつ いくら ですか ますか でしょうか です ます は が
        を に の か
    """,
}
STOP_WORDS = {language: frozenset(map(fold, words.split())) for language, words in _WORDS.items()}
"""Folded stop words by ISO 639-1 code."""
